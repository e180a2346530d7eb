"""sriov: give a pod an SR-IOV virtual function, configured through its physical function, and take it back."""

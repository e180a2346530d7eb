"""One interface of the kernel a module; what is asked and what is changed. Nothing here knows of CNI but its errors."""

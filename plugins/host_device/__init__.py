"""host-device: move any device of the host into a pod and give it back as it was.

config reads and checks the network configuration, device finds the device it names, attachment is the record of what the
device was like, transfer moves it there and back, commands are ADD, DEL, CHECK, STATUS and GC.
"""

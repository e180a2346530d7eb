"""How much of anything is taken: limits that no honest request meets. Errors name them, docs/limits.md lists them."""

from __future__ import annotations

CONFIG_BYTES = 1 << 20
"""How long a network configuration may be for ADD, STATUS and VERSION. The longest seen in the field, with a large
prevResult, have some ten thousand."""

LATER_CONFIG_BYTES = 1 << 22
"""The same for DEL, CHECK and GC: the runtime sends what ADD took, and adds the result of ADD, that of plugins later in
the chain included. What an attachment was made with must be good enough to end it."""

FILE_BYTES = 1 << 20
"""How much a file that is read may hold; records, resolv.conf and the like have a few hundred bytes."""

JSON_DEPTH = 200
"""How many arrays and objects may be nested. No configuration comes near; the interpreter's own limit differs by
version and by where it is called from."""

JSON_CONTAINERS = 1 << 17
"""How many arrays and objects a JSON text may have: one takes two characters, and some hundred bytes of memory. There
is no such limit for members, numbers and strings: that of the bytes bounds them, and reading is linear."""

LIST_ITEMS = 4096
"""How many items a list of a configuration or a result may have, such as `trunk`: there are as many VLANs."""

ROUTES = 1024
"""The same for `routes`: each takes the kernel 0.2 ms."""

ADDRESSES = 256
"""The same for `ips` and `addresses`: each takes the kernel half a millisecond, and each is announced."""

ATTACHMENTS = 1 << 16
"""How many entries `cni.dev/valid-attachments` may have: a node has some hundred pods."""

FILE_NAME_BYTES = 255
"""How long the name of a file can be (NAME_MAX, linux/limits.h). Names of records are made of container ID, interface
name and, with some plugins, network name."""

NETWORK_NAME_BYTES = 253
"""How long a network's name may be: it is the name of a folder, and Kubernetes has no longer names."""

CONTAINER_ID_BYTES = 128
"""How long a container ID may be; runtimes give 64 digits at most."""

IFNAME_BYTES = 15
"""How long the name of an interface may be: IFNAMSIZ less the final NUL (linux/if.h)."""

PATH_FOLDERS = 256
"""How many folders CNI_PATH may name; each is looked into for the executable of an IPAM type."""

POD_NAME_BYTES = 253
"""How long what CNI_ARGS says of the pod may be, each of namespace, name and UID (Kubernetes, "Object Names and IDs").
What is longer is left out of log lines and records."""

DEVICE_INFO_FOLDERS = 8
"""How many folders `runtimeConfig.CNIDeviceInfoFile` may go down from the folder of the device-info specification,
which has the files in that folder itself."""

PATH_BYTES = 4095
"""How long a path can be (PATH_MAX less the final NUL, linux/limits.h)."""

MESSAGE_CHARACTERS = 1024
"""How long `msg` of an error may be, escapes included; the middle of a longer one is left out, and that is said."""

DETAILS_CHARACTERS = 4096
"""How long `details` of an error may be, as `msg`."""

LOG_LINE_CHARACTERS = 6144
"""How long a line of the log may be, as `msg` of an error, which both its parts fit into."""

SHOWN_CHARACTERS = 80
"""How much of a refused value an error repeats."""

SHOWN_ITEMS = 10
"""How many addresses or routes an error lists of what there is."""

NOTED_WARNINGS = 32
"""How many members that DEL or GC could not read are written to the log."""

ANNOUNCERS = 16
"""How many processes on a node may wait for the carrier of a link at a time, to announce its addresses then. Each has
2 MiB of memory of its own."""

ANNOUNCER_S = 10
"""How long such a process lives, in seconds. A NIC that has negotiated with its switch has carrier after 2 to 5."""

ANNOUNCEMENT_S = 1
"""How long the sending of an announcement may take, in seconds: the pod can make a queue that lets nothing out."""

RANGE_SETS = 16
"""How many range sets a host-local configuration may have, those of the runtime included: an attachment gets an address
of each. Two are usual, one a family."""

RANGES = 256
"""How many ranges a range set may have."""

DNS_ENTRIES = 64
"""How many name servers, search domains and options each there may be in a configuration or a result."""

INTERFACES = 256
"""How many interfaces a result may have."""

RESOLV_CONF_BYTES = 1 << 14
"""How long a file that `resolvConf` names may be."""

"""How much of anything is taken: limits that no honest request meets. Errors name them, docs/limits.md lists them."""

from __future__ import annotations

# What is read. The longest configurations seen in the field, with a large prevResult, have some ten thousand bytes. The
# runtime sends the later commands what ADD took, and adds the result of ADD, that of plugins later in the chain
# included: what an attachment was made with must be good enough to end it.
CONFIG_BYTES = 1 << 20  # of a configuration for ADD, STATUS and VERSION
LATER_CONFIG_BYTES = 1 << 22  # of one for DEL, CHECK and GC
FILE_BYTES = 1 << 20  # of a file: records and the like have a few hundred bytes
RESOLV_CONF_BYTES = 1 << 14  # of a file that `resolvConf` names

# JSON. There is no limit for members, numbers and strings: that of the bytes bounds them, and reading is linear.
JSON_DEPTH = 200  # arrays and objects in one another; the interpreter's own limit differs by version and by caller
JSON_CONTAINERS = 1 << 17  # arrays and objects in a text: one takes two characters, and some hundred bytes of memory

# Lists of a configuration or a result.
LIST_ITEMS = 4096  # where nothing else is said, as for `trunk`: there are as many VLANs
ROUTES = 1024  # each takes the kernel 0.2 ms
ADDRESSES = 256  # `ips` and `addresses`: each takes the kernel half a millisecond, and each is announced
ATTACHMENTS = 1 << 16  # of `cni.dev/valid-attachments`: a node has some hundred pods
INTERFACES = 256  # of a result
DNS_ENTRIES = 64  # name servers, search domains and options, each
RANGE_SETS = 16  # of host-local, the runtime's included: an attachment gets an address of each; two are usual
RANGES = 256  # of a range set

# Names and paths.
FILE_NAME_BYTES = 255  # NAME_MAX (linux/limits.h); names of records are made of container ID, interface, network
PATH_BYTES = 4095  # PATH_MAX less the final NUL (linux/limits.h)
NETWORK_NAME_BYTES = 253  # it is the name of a folder, and Kubernetes has no longer names
CONTAINER_ID_BYTES = 128  # runtimes give 64 digits at most
IFNAME_BYTES = 15  # IFNAMSIZ less the final NUL (linux/if.h)
POD_NAME_BYTES = 253  # namespace, name and UID in CNI_ARGS, each; what is longer is in no log line and no record
PATH_FOLDERS = 256  # of CNI_PATH; each is looked into for the executable of an IPAM type
DEVICE_INFO_FOLDERS = 8  # how far `runtimeConfig.CNIDeviceInfoFile` may go down from the specification's folder

# What is said. The middle of what is longer is left out, escapes included, and that is said.
MESSAGE_CHARACTERS = 1024  # of `msg` in an error
DETAILS_CHARACTERS = 4096  # of `details` in an error
LOG_LINE_CHARACTERS = 6144  # of a line in the log: both fit in
SHOWN_CHARACTERS = 80  # of a refused value in an error
SHOWN_ITEMS = 10  # addresses or routes that an error lists of what there is
NOTED_WARNINGS = 32  # members that DEL or GC could not read and that are written to the log

# Processes that wait for the carrier of a link, to announce its addresses then.
ANNOUNCERS = 16  # on a node at a time; each has 2 MiB of memory of its own
ANNOUNCER_S = 10  # how long one lives: a NIC that has negotiated with its switch has carrier after 2 to 5 seconds
ANNOUNCEMENT_S = 1  # how long sending may take: the pod can make a queue that lets nothing out

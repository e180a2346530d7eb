"""The functions that a usual VERSION, ADD or DEL runs, by which an image is laid out (layout.py).

`make hot` lists them anew, and is worth it when much has changed: what is missing here works as well, and costs a
process some pages more. What is here and does not exist is passed over.
"""

from __future__ import annotations

FUNCTIONS = """\
cni.attach.add _claim add
cni.attach.allotted refuse_two
cni.attach.announce announce can_be_announced frame
cni.attach.attaching Attaching.__init__ Attaching._add_addresses Attaching._arrive Attaching._bring_up Attaching._choose
cni.attach.attaching Attaching._make_result Attaching._move_and_choose Attaching._start_move Attaching.claim
cni.attach.attaching Attaching.claiming Attaching.finish Attaching.steps
cni.attach.attachment Attachment.is_of_this_boot Attachment.knows Attachment.name Attachment.sought Owner.identity
cni.attach.attachment Owner.may_have owner_of
cni.attach.call Call.identity Call.release_addresses_of
cni.attach.claims Claims.detach Claims.give_back Claims.give_back_dead Claims.make Claims.note Claims.take_over
cni.attach.dead give_back
cni.attach.delete _detach delete
cni.attach.deviceinfo is_wanted sweep_for
cni.attach.engine Engine.__init__
cni.attach.fetch _drop_given_names fetched
cni.attach.give_back Return._link Return.before_leaving Return.disconnect Return.finish Return.is_removed Return.look
cni.attach.give_back Return.on_host Return.original_for Return.reconnect Return.restore_settings Return.sought
cni.attach.give_back Return.title _arrival give_back
cni.attach.identity Sought.__post_init__ Sought.contradiction Sought.is_anchored Sought.on_host _peer_nsid in_pod
cni.attach.ifconfig _prefer add_addresses add_routes addresses_of announce describe gateway_of gateways_of
cni.attach.ifconfig kernel_announced
cni.attach.links first_port of_device
cni.attach.move _arrived _drop_altnames _move _rename_if_possible free_index free_name into_pod onto_host
cni.attach.plugin Device.after_sweep Device.before_sweep Device.bring_up Device.configuring Device.configuring_in_pod
cni.attach.plugin Device.connecting Device.find Device.has_link Device.refuse Device.shared_lock Plugin._locks
cni.attach.plugin Plugin.forget_owner Plugin.is_lost Plugin.lock Plugin.note_owner Plugin.noted_netns
cni.attach.pod recorded_pod
cni.attach.record _hexadecimal _property _size link_name link_state mac mtu own read_link read_own read_own_owner
cni.attach.record read_owner read_shared_link restored shared stored word
cni.attach.records Records.__init__ Records._believed Records.all Records.forget Records.load Records.of_delete
cni.attach.records Records.of_device Records.of_interface Records.save Records.written_ns
cni.attach.restore _features _one_by_one _properties change differing rename restore restore_altnames restore_master
cni.attach.restore without_filters
cni.attach.rollback Rollback.__enter__ Rollback.__exit__ Rollback.commit Rollback.push
cni.attach.stacked _is_on _on_top remove
cni.attach.state Store._lock Store._path Store._read Store.adding Store.all Store.load Store.networks Store.remove
cni.attach.state Store.save Store.written_ns
cni.attach.step attempt carry_out settle trying
cni.linux.background Background.__init__ Background._run Background.join Background.wait
cni.linux.boot current
cni.linux.eswitch _attribute _is_number _is_numbered _rank _uplink _where_representors_are is_representor representor
cni.linux.eswitch switch_id uplink vf_of
cni.linux.features _blocks _give requested restore
cni.linux.files closing create ensure_folder names open_regular read read_all remove temporary_path write_all
cni.linux.files write_atomic
cni.linux.libc _calls bpf ethtool setns
cni.linux.lock EphemeralLock._is_current EphemeralLock._release FileLock.__enter__ FileLock.__exit__ FileLock.__init__
cni.linux.lock FileLock._attempt FileLock._is_current FileLock._open FileLock._release
cni.linux.log Logger.__init__ Logger._log Logger.debug
cni.linux.netlink.addr add family_of
cni.linux.netlink.bridge _compressed _message add_vlans delete_vlans parse ports
cni.linux.netlink.codec attribute attributes nested number os_bytes os_text signed text u32
cni.linux.netlink.link _kind_data _target change chooses_index dump get header is_name parse
cni.linux.netlink.nsid _asked _told known of
cni.linux.netlink.route add
cni.linux.netlink.socket NetlinkSocket.__init__ NetlinkSocket._ask NetlinkSocket._exchange NetlinkSocket.change
cni.linux.netlink.socket NetlinkSocket.change_once NetlinkSocket.close NetlinkSocket.collect NetlinkSocket.dump
cni.linux.netlink.socket NetlinkSocket.get NetlinkSocket.netns_cookie _raise_error opened
cni.linux.netlink.vf _flag _parse_vlans _set get parse set_spoofchk set_trust set_vlan
cni.linux.netns NetNS.__enter__ NetNS.__exit__ NetNS.cookie NetNS.entered _leave entered if_there of_pod own
cni.linux.packetfilter _attributes _detach_classifiers detach_classifiers
cni.linux.pci _real address_of attribute driver entries folder folder_of_netdev is_address is_auxiliary_device
cni.linux.pci is_for_userspace netdevs physical_function target vf_index virtio_devices
cni.linux.signals Deferred.__enter__ Deferred.__exit__ ignore_termination raise_on_termination
cni.linux.sysctl ensure
cni.linux.vdpa find
cni.protocol.config NetConf.__init__ NetConf._read NetConf.dns NetConf.prev_result NetConf.read_results _ipam
cni.protocol.config _network_name _valid_attachments decode is_safe_name version_of
cni.protocol.convert _converted _down_from_110 _present _without _written _written_interface _written_ip _written_route
cni.protocol.convert read_dns read_route read_routes refuse_several render_result
cni.protocol.ip _as_written _parsed address_or_none interface parse_address parse_interface parse_network
cni.protocol.jsontext _array _encode _number _object _quoted _skip _string _value dumps loads
cni.protocol.request Pod.__str__ Request.__post_init__ container_id_fault ifname_fault parse parse_args pod_of
cni.protocol.section Section.__init__ Section._child Section._items Section._read Section.address Section.boolean
cni.protocol.section Section.get Section.has Section.integer Section.integers Section.interface Section.name_of
cni.protocol.section Section.network Section.optional_integer Section.parsed Section.parsed_items Section.section
cni.protocol.section Section.section_lists Section.sections Section.string Section.strings _boolean _integer _list_of
cni.protocol.section _parsed _string
cni.protocol.version at_least reply
cni.skel _Call.__init__ _Call._configuration _Call._dispatch _Call.serve _context _has_input _open_missing_streams _read
cni.skel _version_asked _warn _write main run
codecs BufferedIncrementalDecoder.__init__ BufferedIncrementalDecoder.decode IncrementalDecoder.__init__
collections namedtuple
collections.abc Mapping.get
contextlib _GeneratorContextManager.__enter__ _GeneratorContextManager.__exit__ _GeneratorContextManagerBase.__init__
contextlib contextmanager nullcontext.__enter__ nullcontext.__exit__ nullcontext.__init__
enum Enum.__new__ Enum.value EnumType.__call__ Flag.__and__ property.__get__
functools cached_property.__get__ cached_property.__init__ cached_property.__set_name__
genericpath exists isdir isfile samestat
ipaddress IPv4Address.__init__ IPv4Address.is_unspecified IPv4Address.packed IPv4Interface.__init__
ipaddress IPv4Interface.__str__ IPv4Interface.ip IPv4Network.__init__ _BaseAddress.__add__ _BaseAddress.__eq__
ipaddress _BaseAddress.__format__ _BaseAddress.__int__ _BaseAddress.__str__ _BaseAddress.__sub__ _BaseNetwork.__str__
ipaddress _BaseNetwork.broadcast_address _BaseNetwork.hostmask _BaseNetwork.prefixlen _BaseV4._ip_int_from_string
ipaddress _BaseV4._make_netmask _BaseV4._parse_octet _BaseV4._string_from_ip_int _BaseV4.max_prefixlen _BaseV4.version
ipaddress _IPAddressBase._check_int_address _IPAddressBase._ip_int_from_prefix _IPAddressBase._split_addr_prefix
ipaddress v4_int_to_packed
ipam.delegate Delegate._built_in Delegate.add Delegate.delete Delegate.is_built_in Delegate.refuse_unrenderable
ipam.delegate Delegate.remember Delegate.validate _believed _type
ipam.host_local.add _knowledge _reserve add prepare
ipam.host_local.allocator _refuse_duplicate assign choose find_next
ipam.host_local.boot Boot._label Boot.is_current Boot.mark _read
ipam.host_local.commands HostLocal._store HostLocal.add HostLocal.delete HostLocal.validate _data_dir
ipam.host_local.config _bound _range _range_set _range_sets _requested _subnet parse
ipam.host_local.index Index.__init__ Index._path Index.add Index.load Index.remove Index.seal
ipam.host_local.place Places.store
ipam.host_local.ranges Range.__contains__ Range.__init__ Range.__str__ Range.free RangeSet.__init__ RangeSet.__str__
ipam.host_local.ranges RangeSet._stretches RangeSet.next_free RangeSet.range_of RangeSet.version _start find_overlap
ipam.host_local.release _release release_attachment
ipam.host_local.resolvconf read
ipam.host_local.store Store.__init__ Store._all_contents Store._content Store._contents Store._listed Store._mark
ipam.host_local.store Store._path Store.exists Store.held_by Store.last_reserved Store.locked Store.release
ipam.host_local.store Store.remember_last Store.reserve Store.take_stock Taken.__contains__ Taken.__init__
ipam.host_local.store Taken.__iter__ Taken.__len__ Taken._listed _content _is_temporary _looks_like_address
ipam.members unknown warn_of_unknown
ipam.nodeconfig load
ipam.static.commands add delete
ipam.static.config _addresses _configured _items _listed _of_environment parse
os _Environ.__getitem__ _createenviron _fscodec makedirs
plugins.accelerated_bridge.config BridgeConfig.vlans _read_vlans bridges parse
plugins.accelerated_bridge.device BridgeVf.beside BridgeVf.shared_lock _bridge _representor find_representor
plugins.accelerated_bridge.plugin AcceleratedBridge.device AcceleratedBridge.from_record AcceleratedBridge.to_record
plugins.accelerated_bridge.port RepresentorPort._change RepresentorPort._elsewhere RepresentorPort._find
plugins.accelerated_bridge.port RepresentorPort._is_ours RepresentorPort._master RepresentorPort._may_be
plugins.accelerated_bridge.port RepresentorPort._set_vlans RepresentorPort.connect RepresentorPort.describe
plugins.accelerated_bridge.port RepresentorPort.disconnect RepresentorPort.name_now RepresentorPort.release
plugins.accelerated_bridge.port RepresentorPort.restore is_another_vfs
plugins.accelerated_bridge.record _bridges _port _trunk from_record to_record
plugins.accelerated_bridge.uplink listed
plugins.host_device.attachment HostAttachment.key _restored _stored from_record key_of to_record
plugins.host_device.config DeviceConfig.folder DeviceConfig.is_empty DeviceConfig.is_userspace parse
plugins.host_device.device HostDevice.__init__ HostDevice._find HostDevice._path_of HostDevice.attachment
plugins.host_device.device HostDevice.interface HostDevice.key HostDevice.left_behind HostDevice.link
plugins.host_device.plugin HostDevicePlugin.device HostDevicePlugin.from_record HostDevicePlugin.returning
plugins.host_device.plugin HostDevicePlugin.to_record
plugins.host_device.returning HostDeviceReturn.on_host
plugins.sriov.config _vlan parse
plugins.sriov.plugin Sriov.device Sriov.from_record Sriov.to_record
plugins.sriov.record _table _vlan from_record to_record
plugins.vf.attachment VfAttachment.key VfAttachment.name recorded
plugins.vf.config _mac _mtu _switch address_needed address_of choice common
plugins.vf.device VfDevice.__init__ VfDevice._entry_at_pf VfDevice._link VfDevice.after_sweep VfDevice.attachment
plugins.vf.device VfDevice.before_sweep VfDevice.beside VfDevice.bring_up VfDevice.configuring
plugins.vf.device VfDevice.configuring_in_pod VfDevice.connecting VfDevice.find VfDevice.has_link VfDevice.interface
plugins.vf.device VfDevice.key VfDevice.left_behind VfDevice.link VfDevice.refuse
plugins.vf.mac _address reset
plugins.vf.ownership Ownership._pci Ownership.forget_owner Ownership.is_lost Ownership.left_behind Ownership.lock
plugins.vf.ownership Ownership.note_owner Ownership.noted_netns others
plugins.vf.pf Entry._send Entry.make Entry.make_or_warn Entry.read
plugins.vf.plan Setting.describe asked to_make to_restore value_of
plugins.vf.plugin VfPlugin.returning
plugins.vf.record _switch address attachment copied mac read_switches switches
plugins.vf.returning VfReturn.__init__ VfReturn._with_hardware_restored VfReturn.before_leaving VfReturn.disconnect
plugins.vf.returning VfReturn.finish VfReturn.is_removed VfReturn.look VfReturn.on_host VfReturn.original_for
plugins.vf.returning VfReturn.original_parent VfReturn.reconnect VfReturn.restore_settings VfReturn.sought
plugins.vf.returning VfReturn.title _admin_mac _entry _restore_admin_mac sought
plugins.vf.vf Vf.folders _folder find on_host pf_link
posixpath _get_sep _joinrealpath abspath basename dirname isabs islink join lexists normpath realpath split
zipimport zipimporter.__init__
"""

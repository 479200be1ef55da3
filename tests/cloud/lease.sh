#!/bin/sh
# What busybox's DHCP client runs: take the lease.
case "$1" in
bound | renew)
    ip address replace "$ip/$mask" dev "$interface"
    for gateway in $router; do ip route replace default via "$gateway" dev "$interface"; done
    ;;
esac

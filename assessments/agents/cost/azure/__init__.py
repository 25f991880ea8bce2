"""Resources of Azure: virtual machines, scale sets, node pools, disks, network."""

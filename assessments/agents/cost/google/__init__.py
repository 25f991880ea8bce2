"""Resources of Google Cloud: machines, managed groups, node pools, disks, addresses."""

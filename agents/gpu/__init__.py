"""What accelerators this host has, asked of NVML. None is a normal answer."""

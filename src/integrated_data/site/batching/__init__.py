"""Many deliveries in one go: a folder of files, loaded by a bounded number of processes, unattended."""

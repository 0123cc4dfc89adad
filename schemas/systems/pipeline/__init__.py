"""The system `pipeline`: records that flow through a group of processes under a supervisor."""

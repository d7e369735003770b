"""Access: views over what was provisioned, the gate every query passes, and the gateway."""

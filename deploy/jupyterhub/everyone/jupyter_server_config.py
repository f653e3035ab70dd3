"""JupyterLab for everyone on the hub."""

c = get_config()  # noqa: F821

# A kernel's messages over TCP can be listened to by whoever is on this machine: sockets in the person's
# own runtime folder can not.
c.ConnectionFileMixin.transport = "ipc"
# All that people see of the hub comes from this machine.
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"

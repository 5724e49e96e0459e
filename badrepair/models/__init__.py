"""Networks: load, save, run, take apart."""

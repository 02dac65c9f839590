raise RuntimeError("a script that is not for importing")

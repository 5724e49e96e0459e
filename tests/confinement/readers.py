"""Readers for the tests of confinement: each does one thing that a hostile file may bring about."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time

import numpy as np

from badrepair.errors import DataError, ModelError


class Reader:
    def __init__(self, descriptor, where):
        self.descriptor, self.where = descriptor, where

    def answer(self, question):
        return getattr(self, question["do"])(question), b""

    def echo(self, question):
        return question

    def content(self, question):
        return os.pread(self.descriptor, 1000, 0).decode()

    def told(self, question):
        return self.where

    def refuse(self, question):
        raise ModelError("LayerNotAllowed", self.where, "it is wrong", "mend it")

    def die(self, question):
        os.kill(os.getpid(), question["signal"])

    def leave(self, question):
        os._exit(question["status"])

    def spin(self, question):
        while True:
            pass

    def sleep(self, question):
        time.sleep(60)

    def eat(self, question):
        return len(np.ones(3 * 2**30, np.uint8))

    def environment(self, question):
        return dict(os.environ)

    def path(self, question):
        return sys.path

    def limits(self, question):
        names = ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE")
        return {name: resource.getrlimit(getattr(resource, name))[1] for name in names}

    def write(self, question):
        with open(question["path"], "wb") as file:
            file.write(b"x")
        return "written"

    def read(self, question):
        try:
            with open(question["path"], "rb") as file:
                return file.read(100).decode("latin-1")
        except OSError as error:
            return f"errno {error.errno}"

    def connect(self, question):
        try:
            with socket.create_connection(("127.0.0.1", question["port"]), timeout=2):
                return "connected"
        except OSError as error:
            return f"errno {error.errno}"

    def run(self, question):
        try:
            return os.posix_spawn("/bin/true", ["/bin/true"], {})
        except OSError as error:
            return f"errno {error.errno}"

    def open_many(self, question):
        return len([open(sys.executable, "rb") for _ in range(100)])

    def modules(self, question):
        return sorted(sys.modules)

    def nonsense(self, question):
        os.write(1, b"hello" * 10)


class Broken:
    def __init__(self, descriptor, where):
        raise DataError("Corrupt", where, "it is broken")

"""What a SuperNode runs: a node whose test may stop it at any message, and that notes its answers.

halt       lines "round protocol-round before|after" in the node's folder: where it waits, until
           the line is gone
reached    the same lines, as they are reached
answers    lines "session protocol-round digest-of-the-answer"
"""

import hashlib
import json
import time

import secagg
from fl.flower import client_app as client_module
from fl.flower import node
from fl.flower.client_app import client_app
from fl.flower.records import Begin, Reply, Step, answer_in, request_in
from tests.helpers import regression

ORDER = {"Roster": 1, "Ciphertexts": 2, "Survivors": 3, "Signatures": 4}


class Watched(node.Node):
    """A node that tells how far it is."""

    def answer(self, record):
        request = request_in(record)
        place = self._place(request)
        self._halt(place, "before")
        answer = super().answer(record)
        if isinstance(reply := answer_in(answer), Reply) and place is not None:
            digest = hashlib.sha256(reply.frame).hexdigest()
            self._note("answers", f"{request.session.hex()} {place.split()[1]} {digest}")
        self._halt(place, "after")
        return answer

    def _place(self, request):
        """ "training round, protocol round" of a message; None for the end of a session."""
        rounds = self._federation.folder / "rounds"
        rounds.mkdir(exist_ok=True)
        if isinstance(request, Begin):
            number = json.loads(request.message.partition(b"\n")[0])["round"] + 1
            (rounds / request.session.hex()).write_text(str(number))
            return f"{number} 0"
        if isinstance(request, Step):
            number = (rounds / request.session.hex()).read_text()
            message = type(secagg.wire.decode(request.frame)).__name__
            return f"{number} {ORDER[message]}"
        return None

    def _halt(self, place, when):
        here = f"{place} {when}"
        if self._halts(here):
            self._note("reached", here)
        while self._halts(here):
            time.sleep(0.1)

    def _halts(self, here):
        halt = self._federation.folder / "halt"
        return halt.exists() and here in halt.read_text().splitlines()

    def _note(self, name, line):
        with open(self._federation.folder / name, "a") as file:
            file.write(line + "\n")


client_module.Node = Watched
app = client_app({regression.KIND: regression.Regression}, regression.data)

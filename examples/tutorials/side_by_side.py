"""One training twice, over the secure sum and in the clear, and what each round says of both."""

import fl


class SideBySide:
    """Two processes that differ in their aggregator alone.

    build: aggregator -> process. max_weight: about as many examples as a client may have; the
    nearer, the finer the step of the secure sum. weights: the first, if not those of the model.
    history: for each round (secure, plain), the training metrics.
    """

    def __init__(self, build, max_weight, weights=None):
        aggregators = fl.SecureSum(max_weight=max_weight), fl.PlainSum()
        self.processes = [build(aggregator) for aggregator in aggregators]
        self.states = [process.initialize(weights) for process in self.processes]
        self.history = []
        print("            loss              accuracy")
        print("round     secure     plain    secure     plain")

    def next(self, client_data):
        """A round of both, and its line; the metrics of the secure one."""
        results = [
            process.next(state, client_data)
            for process, state in zip(self.processes, self.states, strict=True)
        ]
        self.states = [result.state for result in results]
        train = [result.metrics["client_work"]["train"] for result in results]
        self.history.append(train)
        losses, accuracies = (self.pair(name) for name in ("loss", "accuracy"))
        print(f"{len(self.history):5d}  {losses}  {accuracies}")
        return results[0].metrics

    def model(self):
        """The model of the secure side, an ordinary Keras model."""
        return self.processes[0].get_model(self.states[0])

    def pair(self, name):
        secure, plain = (metrics[name] for metrics in self.history[-1])
        return f"{secure:9.4f} {plain:9.4f}"

    def difference(self):
        """The most by which the two differ in any round, in words."""
        most = {
            name: max(abs(secure[name] - plain[name]) for secure, plain in self.history)
            for name in ("loss", "accuracy")
        }
        return (
            f"secure and plain differ in no round by more than {most['loss']:.1g} in the loss, "
            f"{most['accuracy']:.1g} in the accuracy"
        )

    def curves(self, name):
        """{"secure": values by round, "plain": ...}, for a picture."""
        secure, plain = zip(*self.history, strict=True)
        return {"plain": [m[name] for m in plain], "secure": [m[name] for m in secure]}

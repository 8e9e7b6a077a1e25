"""The components of a job: a C++ class with parameters, and, for modules, a place in sequences and tasks."""

from .SequenceTypes import Labelable, Sequenceable
from .Types import Parameterizable


class Component(Parameterizable):
    """A C++ class and its parameters."""

    def __init__(self, type_, *blocks, **parameters):
        self.__dict__["_type"] = type_
        super().__init__(*blocks, **parameters)

    def type_(self):
        return self._type

    def clone(self, *blocks, **changes):
        """A copy with other parameters: new values, None for those to drop, dicts for insides of a PSet."""
        parameters = self._modified(changes)
        for block in blocks:
            parameters = {**parameters, **block.parameters_()}
        return type(self)(self._type, allowAnyLabel_=self._anyLabel, **parameters)

    def copy(self):
        return self.clone()

    def encodeComponent(self, label, process):
        return {
            "label": label,
            "type": self._type,
            "base": type(self).__name__,
            "parameters": self.encodeParameters(process),
        }

    def dumpPython(self):
        text = self.dumpParameters()
        return f'cms.{type(self).__name__}("{self._type}"' + (f",\n{text}\n)\n" if text else ")\n")

    def __repr__(self):
        return self.dumpPython()


class Source(Component):
    pass


class Service(Component):
    isTaskComponent = True


class _Module(Component, Sequenceable, Labelable):
    pass


class EDProducer(_Module):
    isTaskComponent = True


class EDFilter(_Module):
    isTaskComponent = True


class EDAnalyzer(_Module):
    isTaskComponent = False

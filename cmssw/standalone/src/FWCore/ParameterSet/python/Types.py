"""Parameter types of a configuration: ``cms.int32(5)``, ``cms.untracked.vstring("a")``, ``cms.PSet(...)``.

Each type checks its values when it is made and when it is assigned to. ``encode()`` gives what the host's C++
side reads: a value of JSON.
"""

import builtins
import copy
import math

_isinstance, _bool = builtins.isinstance, builtins.bool


class Parameter:
    """A typed value of a parameter set, tracked or not."""

    def __init__(self, value):
        self._tracked = True
        self._value = self.check(value)

    @classmethod
    def check(cls, value):
        """Return `value` in the form it is kept in; raise ValueError if this type cannot hold it."""
        if not cls._isValid(value):
            raise ValueError(f"{value} is not a valid {cls.__name__}")
        return value

    def value(self):
        return self._value

    def setValue(self, value):
        self._value = self.check(value)

    def isTracked(self):
        return self._tracked

    def setIsTracked(self, tracked):
        self._tracked = tracked

    def encode(self, process):
        return self._value

    def isSet(self):
        return True

    def copy(self):
        return copy.deepcopy(self)

    def pythonTypeName(self):
        return ("cms." if self._tracked else "cms.untracked.") + type(self).__name__

    def pythonValue(self):
        return repr(self._value)

    def dumpPython(self):
        return f"{self.pythonTypeName()}({self.pythonValue()})"

    def __repr__(self):
        return self.dumpPython()

    def __eq__(self, other):
        return self.value() == (other.value() if _isinstance(other, Parameter) else other)

    def __lt__(self, other):
        return self.value() < (other.value() if _isinstance(other, Parameter) else other)

    def __le__(self, other):
        return self.value() <= (other.value() if _isinstance(other, Parameter) else other)

    def __gt__(self, other):
        return self.value() > (other.value() if _isinstance(other, Parameter) else other)

    def __ge__(self, other):
        return self.value() >= (other.value() if _isinstance(other, Parameter) else other)

    __hash__ = object.__hash__

    def __bool__(self):
        return _bool(self._value)


def _integer(name, lowest, highest):
    def isValid(value):
        return _isinstance(value, int) and lowest <= value <= highest

    return type(name, (Parameter,), {"_isValid": staticmethod(isValid), "__int__": lambda self: self._value})


int32 = _integer("int32", -(2**31), 2**31 - 1)
uint32 = _integer("uint32", 0, 2**32 - 1)
int64 = _integer("int64", -(2**63), 2**63 - 1)
uint64 = _integer("uint64", 0, 2**64 - 1)


class double(Parameter):
    @staticmethod
    def _isValid(value):
        return _isinstance(value, (int, float))

    def encode(self, process):
        return self._encodeItem(self._value, process)

    @staticmethod
    def _encodeItem(value, process):
        return float(value) if math.isfinite(value) else str(value)  # JSON has no infinities

    def __float__(self):
        return float(self._value)


class bool(Parameter):
    @staticmethod
    def _isValid(value):
        return _isinstance(value, _bool)


class string(Parameter):
    @staticmethod
    def _isValid(value):
        return _isinstance(value, str)

    def __str__(self):
        return self._value


class FileInPath(string):
    pass


class _Fields(Parameter):
    """A value of several fields, written ``cms.X(a, b)`` or ``cms.X("a:b")``."""

    def __init__(self, *fields):
        super().__init__(fields)

    @classmethod
    def check(cls, fields):
        if _isinstance(fields, cls):
            return fields._value
        if _isinstance(fields, str):
            fields = (fields,)
        fields = tuple(fields)
        if len(fields) == 1 and _isinstance(fields[0], cls):
            return fields[0]._value
        if len(fields) == 1 and _isinstance(fields[0], str):
            fields = tuple(fields[0].split(":"))
        return cls._fromFields(fields)

    def encode(self, process):
        return builtins.list(self._value)

    def pythonValue(self):
        return ", ".join(repr(field) for field in self._value)


class InputTag(_Fields):
    """Module label, instance and process of a product."""

    @classmethod
    def _fromFields(cls, fields):
        if not 1 <= len(fields) <= 3 or not all(_isinstance(field, str) for field in fields):
            raise RuntimeError(f"InputTag may have at most 3 elements, strings: {fields}")
        if ":" in fields[0]:
            fields = (*fields[0].split(":"), *fields[1:])
        return fields + ("",) * (3 - len(fields))

    moduleLabel = property(lambda self: self._value[0])
    productInstanceLabel = property(lambda self: self._value[1])
    processName = property(lambda self: self._value[2])
    getModuleLabel = moduleLabel.fget
    getProductInstanceLabel = productInstanceLabel.fget
    getProcessName = processName.fget

    def setModuleLabel(self, label):
        self._value = (label, *self._value[1:])

    def setProductInstanceLabel(self, label):
        self._value = (self._value[0], label, self._value[2])

    def setProcessName(self, name):
        self._value = (*self._value[:2], name)

    def value(self):
        return ":".join(self._value).rstrip(":")

    @staticmethod
    def currentProcess():
        return "@currentProcess"

    def pythonValue(self):
        return ", ".join(repr(field) for field in self.value().split(":"))


class _Numbers(_Fields):
    @classmethod
    def _fromFields(cls, fields):
        if len(fields) not in cls._lengths:
            raise RuntimeError(f"{fields} is not a valid {cls.__name__}")
        return cls._complete(tuple(int(field) for field in fields))


class EventID(_Numbers):
    _lengths = (2, 3)

    @staticmethod
    def _complete(numbers):
        return numbers if len(numbers) == 3 else (numbers[0], 0, numbers[1])


class LuminosityBlockID(_Numbers):
    _lengths = (2,)

    @staticmethod
    def _complete(numbers):
        return numbers


class _List(Parameter, builtins.list):
    """A list whose items are all valid for one type."""

    __hash__ = object.__hash__

    def __init__(self, *items):
        if len(items) == 1 and not _isinstance(items[0], (str, Parameter)) and hasattr(items[0], "__iter__"):
            items = items[0]
        self._tracked = True
        builtins.list.__init__(self, [self._item(item) for item in items])

    @classmethod
    def _item(cls, item):
        if not cls._element._isValid(item):
            raise TypeError(f"{item!r} cannot be in a {cls.__name__}")
        return item

    def value(self):
        return builtins.list(self)

    def setValue(self, value):
        self[:] = [value] if _isinstance(value, str) else value

    def __setitem__(self, index, value):
        checked = [self._item(item) for item in value] if _isinstance(index, slice) else self._item(value)
        builtins.list.__setitem__(self, index, checked)

    def append(self, item):
        builtins.list.append(self, self._item(item))

    def insert(self, index, item):
        builtins.list.insert(self, index, self._item(item))

    def extend(self, items):
        if _isinstance(items, str):
            raise TypeError(f"a string cannot extend a {type(self).__name__}: use append")
        builtins.list.extend(self, [self._item(item) for item in items])

    def __iadd__(self, items):
        self.extend(items)
        return self

    def __add__(self, items):
        result = self.copy()
        result.extend(items)
        return result

    def copy(self):
        return copy.deepcopy(self)

    def encode(self, process):
        encode = getattr(self._element, "_encodeItem", lambda item, process: item)
        return [encode(item, process) for item in self]

    def pythonValue(self):
        return ", ".join(repr(item) for item in self)

    def __bool__(self):
        return len(self) > 0

    __eq__, __lt__, __le__ = builtins.list.__eq__, builtins.list.__lt__, builtins.list.__le__
    __gt__, __ge__ = builtins.list.__gt__, builtins.list.__ge__


class vint32(_List):
    _element = int32


class vuint32(_List):
    _element = uint32


class vint64(_List):
    _element = int64


class vuint64(_List):
    _element = uint64


class vdouble(_List):
    _element = double


class vstring(_List):
    _element = string


class _ListOfFields(_List):
    """A list whose items are kept as parameters of their own."""

    @classmethod
    def _item(cls, item):
        return item if _isinstance(item, cls._element) else cls._element(item)

    def encode(self, process):
        return [item.encode(process) for item in self]


class VInputTag(_ListOfFields):
    _element = InputTag


class VEventID(_ListOfFields):
    _element = EventID


class VLuminosityBlockID(_ListOfFields):
    _element = LuminosityBlockID


_NEW = "{} does not already exist, so it can only be set to a CMS python configuration type"


class Parameterizable:
    """Something with named parameters, which are its attributes."""

    def __init__(self, *blocks, **parameters):
        self.__dict__["_names"] = []
        self.__dict__["_anyLabel"] = parameters.pop("allowAnyLabel_", None)
        for block in blocks:
            if type(block) is not PSet:
                raise ValueError(
                    f"Only PSets can be passed as unnamed arguments. This is a {type(block).__name__}"
                )
            parameters = {**block.parameters_(), **parameters}
        for name, value in parameters.items():
            self._add(name, value)

    def _add(self, name, value):
        if not _isinstance(value, Parameter):
            if self._anyLabel is None:
                raise TypeError(_NEW.format(name))
            value = self._anyLabel.make(value)
        self.__dict__[name] = value
        self._names.append(name)

    def __setattr__(self, name, value):
        if name.startswith("_"):
            self.__dict__[name] = value
        elif name not in self._names:
            self._add(name, value)
        elif _isinstance(value, Parameter):
            self.__dict__[name] = value
        else:
            self.__dict__[name].setValue(value)

    def __delattr__(self, name):
        object.__delattr__(self, name)
        self._names.remove(name)

    def parameterNames_(self):
        return builtins.list(self._names)

    def parameters_(self):
        return {name: copy.deepcopy(self.__dict__[name]) for name in self._names}

    def hasParameter(self, names):
        return self.getParameter(names) is not None

    def getParameter(self, names):
        found = self
        for name in [names] if _isinstance(names, str) else names:
            found = getattr(found, name, None)
        return found

    def _modified(self, changes):
        """The parameters after `changes`: new values, None for those to drop, dicts for insides of a PSet."""
        parameters = self.parameters_()
        for name, value in changes.items():
            if name not in parameters:
                if not _isinstance(value, Parameter):
                    raise TypeError(_NEW.format(name))
                parameters[name] = value
            elif value is None:
                del parameters[name]
            elif _isinstance(value, Parameter):
                parameters[name] = value
            elif _isinstance(value, dict) and _isinstance(parameters[name], PSet):
                parameters[name] = parameters[name].clone(**value)
            elif _isinstance(value, dict) and _isinstance(parameters[name], _List):
                for index, item in value.items():
                    parameters[name][index] = item
            elif _isinstance(value, dict) and not _isinstance(parameters[name], Proxy):
                raise ValueError(f"Attempted to change non PSet value {name} using a dictionary")
            else:
                parameters[name].setValue(value)
        return parameters

    def encodeParameters(self, process):
        encoded = {}
        for name in self._names:
            parameter = self.__dict__[name]
            if not parameter.isSet():
                parameter.requireSet(name)
                continue
            if _isinstance(parameter, Proxy):
                parameter = parameter.resolved()
            encoded[name] = [type(parameter).__name__, parameter.isTracked(), parameter.encode(process)]
        return encoded

    def dumpParameters(self):
        lines = [f"{name} = {self.__dict__[name].dumpPython()}" for name in sorted(self._names)]
        return ",\n".join("    " + line.replace("\n", "\n    ") for line in lines)


class PSet(Parameterizable, Parameter):
    """A set of parameters inside another."""

    def __init__(self, *blocks, **parameters):
        self.__dict__["_tracked"] = True
        Parameterizable.__init__(self, *blocks, **parameters)

    @staticmethod
    def _isValid(value):
        return _isinstance(value, PSet)

    def value(self):
        return self

    def setValue(self, value):
        if not _isinstance(value, dict):
            raise ValueError(f"{value} is not a valid PSet")
        for name, item in value.items():
            setattr(self, name, item)

    def clone(self, **changes):
        result = PSet(allowAnyLabel_=self._anyLabel, **self._modified(changes))
        result.setIsTracked(self.isTracked())
        return result

    def encode(self, process):
        if "refToPSet_" in self._names:
            return getattr(process, self.refToPSet_.value()).encode(process)
        return self.encodeParameters(process)

    def pythonValue(self):
        return f"\n{self.dumpParameters()}\n" if self._names else ""

    def __eq__(self, other):
        return _isinstance(other, PSet) and self.parameters_() == other.parameters_()

    __hash__ = object.__hash__

    def __bool__(self):
        return True


class VPSet(_List):
    _element = PSet

    def encode(self, process):
        return [item.encode(process) for item in self]


class Proxy(Parameter):
    """A parameter with a type but no value yet: ``cms.optional.int32``, ``cms.required.untracked.string``."""

    def __init__(self, kind, types, tracked):
        self._kind, self._types, self._tracked, self._parameter = kind, types, tracked, None

    def make(self, value):
        """A parameter of the proxy's type with this value."""
        for candidate in self._types:
            if _isinstance(value, candidate):
                made = value
                break
            try:
                made = candidate(**value) if candidate is PSet else candidate(value)
                break
            except (TypeError, ValueError, RuntimeError):
                continue
        else:
            names = " or ".join(getattr(t, "__name__", "PSet") for t in self._types)
            raise ValueError(f"{value!r} is not a valid {names}")
        made.setIsTracked(self._tracked)
        return made

    def setValue(self, value):
        self._parameter = self.make(value)

    def isSet(self):
        return self._parameter is not None and self._kind != "obsolete"

    def requireSet(self, name):
        if self._kind == "required":
            raise RuntimeError(f"Required parameter {name} was not set")

    def resolved(self):
        return self._parameter

    def value(self):
        return None if self._parameter is None else self._parameter.value()

    def __getattr__(self, name):
        if name.startswith("_") or self._parameter is None:
            raise AttributeError(name)
        return getattr(self._parameter, name)

    def __setattr__(self, name, value):
        if not name.startswith("_") and self._parameter is not None:
            setattr(self._parameter, name, value)
        else:
            object.__setattr__(self, name, value)

    def __bool__(self):
        return self._parameter is not None

    def dumpPython(self):
        if self._parameter is not None:
            return self._parameter.dumpPython()
        dots = f"cms.{self._kind}" if self._tracked else f"cms.{self._kind}.untracked"
        names = [getattr(t, "__name__", "PSet") for t in self._types]
        return (
            f"{dots}.{names[0]}"
            if len(names) == 1
            else f"{dots}.allowed({', '.join('cms.' + n for n in names)})"
        )


class _Template:
    """``PSetTemplate(...)``: turns a dict into a PSet with these parameters."""

    def __init__(self, *blocks, **parameters):
        self._pset = PSet(*blocks, **parameters)

    def __call__(self, value):
        return self._pset.clone(**value)

    def __instancecheck__(self, value):
        return _isinstance(value, PSet)


class _ProxyFactory:
    """``cms.optional`` and its like: an attribute names the type."""

    def __init__(self, kind, tracked=True):
        self._kind, self._tracked = kind, tracked

    def __getattr__(self, name):
        if name == "untracked":
            return _ProxyFactory(self._kind, tracked=False)
        if name == "allowed":
            return lambda *types: Proxy(self._kind, types, self._tracked)
        if name == "PSetTemplate":
            return lambda *blocks, **parameters: Proxy(
                self._kind, (_Template(*blocks, **parameters),), self._tracked
            )
        return Proxy(self._kind, (_parameterType(name),), self._tracked)


class _Untracked:
    """``cms.untracked.int32(5)``, or ``cms.untracked(parameter)``."""

    def __call__(self, parameter):
        parameter.setIsTracked(False)
        return parameter

    def __getattr__(self, name):
        cls = _parameterType(name)
        return lambda *values, **parameters: self(cls(*values, **parameters))


def _parameterType(name):
    cls = globals().get(name)
    if (
        name.startswith("_")
        or not (_isinstance(cls, type) and issubclass(cls, Parameter))
        or cls in (Parameter, Proxy)
    ):
        raise AttributeError(f"the standalone host has no parameter type {name}")
    return cls


required = _ProxyFactory("required")
optional = _ProxyFactory("optional")
obsolete = _ProxyFactory("obsolete")
untracked = _Untracked()

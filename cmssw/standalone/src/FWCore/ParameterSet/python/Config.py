"""``import FWCore.ParameterSet.Config as cms``: configurations of CMSSW, for the standalone host.

Types, modules, sequences, tasks, schedule, services, load, clone and extend mean what they mean in CMSSW.
What the host does not have (output modules, event setup, modifiers, ...) raises an error that says so.
"""
# ruff: noqa: F401  (configurations take these names from here)

import importlib

from . import Modules, SequenceTypes
from .MessageLogger import MessageLogger
from .Modules import EDAnalyzer, EDFilter, EDProducer, Service, Source
from .SequenceTypes import EndPath, FinalPath, Path, Schedule, Sequence, Task, ignore, wait
from .Types import (
    EventID,
    FileInPath,
    InputTag,
    LuminosityBlockID,
    PSet,
    VEventID,
    VInputTag,
    VLuminosityBlockID,
    VPSet,
    bool,
    double,
    int32,
    int64,
    obsolete,
    optional,
    required,
    string,
    uint32,
    uint64,
    untracked,
    vdouble,
    vint32,
    vint64,
    vstring,
    vuint32,
    vuint64,
)


def __getattr__(name):
    raise AttributeError(
        f"the standalone host does not have cms.{name}; this configuration needs CMSSW itself"
    )


class Process:
    """A job: everything it runs is an attribute of it."""

    _containers = (Path, EndPath, Sequence, Task)

    def __init__(self, name, *modifiers):
        if not name.isalnum():
            raise RuntimeError(
                "Error: The process name is an empty string or contains non-alphanumeric characters"
            )
        if modifiers:
            raise NotImplementedError(
                "the standalone host does not have modifiers (eras); this needs CMSSW itself"
            )
        self.__dict__.update(_name=name, _items={}, _source=None, _schedule=None, _extending=False)
        self.options = self.defaultOptions_()
        self.maxEvents = untracked.PSet()
        self.maxLuminosityBlocks = untracked.PSet(input=untracked.int32(-1))
        self.MessageLogger = MessageLogger

    @staticmethod
    def defaultOptions_():
        return untracked.PSet(
            numberOfThreads=untracked.uint32(1),
            numberOfStreams=untracked.uint32(0),
            numberOfConcurrentRuns=untracked.uint32(1),
            numberOfConcurrentLuminosityBlocks=untracked.uint32(0),
            eventSetup=untracked.PSet(
                numberOfConcurrentIOVs=untracked.uint32(0),
                forceNumberOfConcurrentIOVs=untracked.PSet(allowAnyLabel_=required.untracked.uint32),
            ),
            accelerators=untracked.vstring("*"),
            wantSummary=untracked.bool(False),
            fileMode=untracked.string("FULLMERGE"),
            forceEventSetupCacheClearOnNewRun=untracked.bool(False),
            throwIfIllegalParameter=untracked.bool(True),
            printDependencies=untracked.bool(False),
            deleteNonConsumedUnscheduledModules=untracked.bool(True),
            sizeOfStackForThreadsInKB=optional.untracked.uint32,
            Rethrow=untracked.vstring(),
            SkipEvent=untracked.vstring(),
            TryToContinue=untracked.vstring(),
            FailPath=untracked.vstring(),
            IgnoreCompletely=untracked.vstring(),
            canDeleteEarly=untracked.vstring(),
            dumpOptions=untracked.bool(False),
            allowUnscheduled=obsolete.untracked.bool,
            emptyRunLumiMode=obsolete.untracked.string,
            makeTriggerResults=obsolete.untracked.bool,
        )

    @staticmethod
    def defaultMaxEvents_():
        return untracked.PSet(input=optional.untracked.int32, output=optional.untracked.allowed(int32, PSet))

    def name_(self):
        return self._name

    process = property(name_)

    def setName_(self, name):
        self.__dict__["_name"] = name

    def _ofType(self, *types):
        return {label: item for label, item in self._items.items() if type(item) in types}

    def producers_(self):
        return self._ofType(EDProducer)

    def filters_(self):
        return self._ofType(EDFilter)

    def analyzers_(self):
        return self._ofType(EDAnalyzer)

    def paths_(self):
        return self._ofType(Path)

    def endpaths_(self):
        return self._ofType(EndPath)

    def sequences_(self):
        return self._ofType(Sequence)

    def tasks_(self):
        return self._ofType(Task)

    def services_(self):
        return self._ofType(Service)

    def psets_(self):
        return self._ofType(PSet)

    def source_(self):
        return self._source

    def schedule_(self):
        return self._schedule

    def setSchedule_(self, schedule):
        for index, path in enumerate(schedule):
            if not path.hasLabel_():
                raise RuntimeError(
                    f"The path at index {index} in the Schedule was not attached to the process."
                )
        self.__dict__["_schedule"] = schedule

    producers, filters, analyzers = property(producers_), property(filters_), property(analyzers_)
    paths, endpaths, sequences, tasks = (
        property(paths_),
        property(endpaths_),
        property(sequences_),
        property(tasks_),
    )
    services, psets = property(services_), property(psets_)
    source = property(source_)
    schedule = property(schedule_)

    def __getattr__(self, name):
        items = self.__dict__.get("_items", {})
        if name not in items:
            raise AttributeError(f"process has no {name}")
        return items[name]

    def __setattr__(self, name, value):
        if name == "options":
            value = self._updated(self.defaultOptions_(), value)
        elif name == "maxEvents":
            value = self._updated(self.defaultMaxEvents_(), value)
        if isinstance(value, Source):
            if name != "source":
                raise ValueError(
                    f"The label '{name}' can not be used for a Source.  Only 'source' is allowed."
                )
            self.__dict__["_source"] = value
        elif isinstance(value, Schedule):
            self.setSchedule_(value)
        elif isinstance(value, Service):
            if name != value.type_():
                raise TypeError(f"a Service must have the label of its type: process.{value.type_()}")
            self._place(name, value)
        elif isinstance(value, (SequenceTypes.Labelable, PSet, VPSet)):
            if not name.replace("_", "").isalnum():
                raise ValueError(f"The label {name} contains forbidden characters")
            self._place(name, value)
        else:
            raise TypeError(f"process.{name} cannot be a {type(value).__name__}")

    @staticmethod
    def _updated(defaults, value):
        for name, item in (value if isinstance(value, dict) else value.parameters_()).items():
            setattr(defaults, name, item)
        return defaults

    def _place(self, name, value):
        old = self._items.get(name)
        if isinstance(value, SequenceTypes.Labelable):
            if value.hasLabel_() and value.label_() != name and self._items.get(value.label_()) is value:
                raise ValueError(
                    f"Attempting to change the label of an attribute of the Process\n"
                    f"Old label = {value.label_()}  New label = {name}\n"
                    "Use a clone, or a name that begins with an underscore."
                )
            value.setLabel(name)
        if isinstance(value, self._containers):
            for module in value.components() if isinstance(value, Task) else value.modules():
                self._checkKnown(module, name)
        if old is not None and old is not value:
            users = [item for item in self._items.values() if isinstance(item, self._containers)]
            for user in [*users, *(self._schedule.tasks() if self._schedule else [])]:
                if self._extending and user.contains(old):
                    raise ValueError(
                        f"Trying to override definition of {name} while it is used by {user.label_()}"
                    )
                user.replace(old, value)
            if self._schedule is not None and isinstance(value, (Path, EndPath)):
                self._schedule[:] = [value if path is old else path for path in self._schedule]
        self._items[name] = value

    def _checkKnown(self, module, user):
        if isinstance(module, Service):
            return
        if not module.hasLabel_() or self._items.get(module.label_()) is not module:
            what = f"{module.type_()}" if isinstance(module, Modules.Component) else type(module).__name__
            raise RuntimeError(f"{user} holds a module of type {what} that is not attached to the process")

    def __delattr__(self, name):
        item = getattr(self, name)
        for user in [item for item in self._items.values() if isinstance(item, self._containers)]:
            if not isinstance(item, (Sequence, Task)):
                user.replace(item, None)
        if self._schedule is not None and item in self._schedule:
            self._schedule.remove(item)
        del self._items[name]

    def add_(self, service):
        setattr(self, service.type_(), service)

    def globalReplace(self, label, new):
        if label not in self._items:
            raise LookupError("process has no item of label " + label)
        setattr(self, label, new)

    def load(self, name):
        self.extend(importlib.import_module(name.replace("/", ".")))

    def extend(self, other, items=()):
        """Take over what a Python module, or another process, defines; not names like _this."""
        if isinstance(other, Process):
            found = {**other._items, **({"source": other._source} if other._source else {})}
        else:
            found = {name: item for name, item in vars(other).items() if not name.startswith("_")}
        self.__dict__["_extending"] = True
        try:
            for kinds in (
                (Modules.Component, PSet, VPSet),
                (Task,),
                (Sequence,),
                (Path, EndPath),
                (Schedule,),
            ):
                for name, item in found.items():
                    if isinstance(item, kinds):
                        setattr(self, item.type_() if isinstance(item, Service) else name, item)
        finally:
            self.__dict__["_extending"] = False

    def _scheduled(self):
        """The paths that run, in order, and the tasks beside those of the paths."""
        if self._schedule is None:
            return [*self.paths_().values(), *self.endpaths_().values()], []
        paths = [path for path in self._schedule if isinstance(path, Path)]
        return [
            *paths,
            *(path for path in self._schedule if isinstance(path, EndPath)),
        ], self._schedule.tasks()

    def encode(self):
        """All that the host's C++ side needs to know, as values of JSON."""
        if not {"*", "cpu"}.issuperset(self.options.accelerators):
            raise ValueError(f"{self.options.accelerators}: the accelerators of this host are: cpu")
        if self.maxLuminosityBlocks.input != -1:
            raise NotImplementedError(
                "the standalone host does not have process.maxLuminosityBlocks: use maxEvents"
            )
        paths, tasks = self._scheduled()
        on_tasks = [c for task in [*tasks, *(t for p in paths for t in p.tasks())] for c in task.components()]
        used = {id(item) for item in [*(m for path in paths for m in path.modules()), *on_tasks]}
        modules = {**self.producers_(), **self.filters_(), **self.analyzers_()}
        # A service on some task of the process runs only when that task is used.
        optional_services = {id(c) for task in self.tasks_().values() for c in task.components()} - used
        for path in paths:
            for module in path.modules():
                self._checkKnown(module, path.label_())
        for component in on_tasks:
            self._checkKnown(component, "a task")
        return {
            "name": self._name,
            "options": self.options.encode(self),
            "maxEvents": self.maxEvents.encode(self),
            "source": self._source and self._source.encodeComponent("source", self),
            "modules": [
                item.encodeComponent(label, self) for label, item in modules.items() if id(item) in used
            ],
            "paths": [
                {
                    "name": path.label_(),
                    "endPath": isinstance(path, EndPath),
                    "modules": path.decoratedNames(),
                }
                for path in paths
            ],
            "services": [
                item.encodeComponent(label, self)
                for label, item in self.services_().items()
                if id(item) not in optional_services
            ],
        }

    def dumpPython(self):
        """The process as a configuration file."""
        order = (
            (PSet, VPSet),
            (EDProducer, EDFilter, EDAnalyzer),
            (Service,),
            (Task,),
            (Sequence,),
            (Path, EndPath),
        )
        lines = [f'import FWCore.ParameterSet.Config as cms\n\nprocess = cms.Process("{self._name}")\n']
        if self._source is not None:
            lines.append(f"process.source = {self._source.dumpPython()}")
        for kinds in order:
            lines += [f"process.{name} = {item.dumpPython()}" for name, item in self._ofType(*kinds).items()]
        if self._schedule is not None:
            lines.append(f"process.schedule = {self._schedule.dumpPython()}")
        return "\n".join(lines)

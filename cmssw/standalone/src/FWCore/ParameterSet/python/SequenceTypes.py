"""What runs: sequences, paths, tasks and the schedule.

A sequence is a list of steps. A step is a module or a `Sequence`, which is shared, not copied: a later change
of it is seen by every path that holds it.
"""


class Labelable:
    """Gets a label when it is made an attribute of the process."""

    def label_(self):
        label = self.__dict__.get("_label")
        if label is None:
            raise RuntimeError("module has no label.  Perhaps it wasn't inserted into the process?")
        return label

    def hasLabel_(self):
        return self.__dict__.get("_label") is not None

    def setLabel(self, label):
        self.__dict__["_label"] = label


class Sequenceable:
    """Can be written ``a + b``, ``a * b`` and ``~a``."""

    def __add__(self, other):
        return _Collection([*steps(self), *steps(other)])

    __mul__ = __add__

    def __invert__(self):
        return Decorated("!", self)


class Decorated(Sequenceable):
    """A filter whose decision is turned round (!) or ignored (-)."""

    def __init__(self, mark, module):
        if not isinstance(module, (Labelable, Decorated)) or isinstance(module, Group):
            raise TypeError("~ and cms.ignore apply to a module")
        self.mark, self.module = mark, module

    def __invert__(self):
        return self.module if self.mark == "!" else Decorated("!", self.module)


def ignore(module):
    return Decorated("-", module)


def wait(module):
    """Accepted, and without effect here: a path of this host waits for each of its modules."""
    return module


class _Collection(Sequenceable):
    def __init__(self, items):
        self.items = items


def steps(item):
    """The steps that an expression stands for."""
    if isinstance(item, _Collection):
        return item.items
    if not isinstance(item, Sequenceable):
        raise TypeError(f"a {type(item).__name__} cannot be in a sequence")
    return [item]


def _bare(step):
    return step.module if isinstance(step, Decorated) else step


class Group(Labelable):
    """Steps in order, and the tasks that go with them."""

    def __init__(self, *items):
        sequenceable = [] if not items or isinstance(items[0], Task) else [items[0]]
        self._steps, self._tasks = [step for item in sequenceable for step in steps(item)], []
        for item in items[len(sequenceable) :]:
            if isinstance(item, Sequenceable):
                raise TypeError(f"combine what is in a {type(self).__name__} via '+' or '*'")
            self.associate(item)

    def associate(self, *tasks):
        for task in tasks:
            if not isinstance(task, Task):
                raise TypeError("associate only works with objects of type Task")
            self._tasks.append(task)

    def __iadd__(self, item):
        self._steps.extend(steps(item))
        return self

    __imul__ = __iadd__

    def insert(self, index, item):
        self._steps[index:index] = steps(item)

    def index(self, item):
        return [_bare(step) for step in self._steps].index(item)

    def remove(self, item):
        """Take out the first appearance of `item`, also inside sequences; True if there was one."""
        for position, step in enumerate(self._steps):
            if _bare(step) is item:
                del self._steps[position]
                return True
            if isinstance(step, Sequence) and step.remove(item):
                return True
        return any(task.remove(item) for task in self._tasks)

    def replace(self, old, new):
        """Put `new` (None: nothing) in each place of `old`, here and inside; True if there was one."""
        replaced = False
        result = []
        for step in self._steps:
            if _bare(step) is old:
                replaced = True
                if new is not None:
                    result.extend([Decorated(step.mark, new)] if isinstance(step, Decorated) else steps(new))
                continue
            if isinstance(step, Sequence):
                replaced = step.replace(old, new) or replaced
            result.append(step)
        self._steps[:] = result
        for task in self._tasks:
            replaced = task.replace(old, new) or replaced
        return replaced

    def contains(self, item):
        return item in self.modules() or item in self.tasks()

    def copy(self):
        return type(self)(_Collection(self._steps[:]), *self._tasks)

    def copyAndExclude(self, items):
        kept = [step for step in self._steps if _bare(step) not in items]
        kept = [step.copyAndExclude(items) if isinstance(step, Sequence) else step for step in kept]
        return type(self)(_Collection(kept), *(task.copyAndExclude(items) for task in self._tasks))

    def flat(self):
        """All steps, those of sequences in their place."""
        for step in self._steps:
            if isinstance(step, Sequence):
                yield from step.flat()
            else:
                yield step

    def modules(self):
        return [_bare(step) for step in self.flat()]

    def tasks(self):
        """All tasks that go with these steps, and those inside them."""
        inner = [task for step in self._steps if isinstance(step, Sequence) for task in step.tasks()]
        return [*inner, *self._tasks]

    def moduleNames(self):
        names = {module.label_() for module in self.modules()}
        return names.union(*(task.moduleNames() for task in self.tasks()))

    def decoratedNames(self):
        return [getattr(step, "mark", "") + _bare(step).label_() for step in self.flat()]

    def dumpPython(self):
        forms = {"": "process.{}", "!": "~process.{}", "-": "cms.ignore(process.{})"}
        names = [forms[getattr(step, "mark", "")].format(_bare(step).label_()) for step in self._steps]
        tasks = [f"process.{task.label_()}" for task in self._tasks]
        return f"cms.{type(self).__name__}({', '.join(filter(None, ['+'.join(names), *tasks]))})\n"


class Sequence(Group, Sequenceable):
    pass


class Path(Group):
    pass


class EndPath(Group):
    pass


class FinalPath(Group):
    def __init__(self, *items):
        raise NotImplementedError(
            "cms.FinalPath takes output modules, which the standalone host does not have"
        )


class Task(Labelable):
    """Modules that run when what they make is asked for."""

    def __init__(self, *items):
        self._items = []
        self.add(*items)

    def add(self, *items):
        for item in items:
            if not isinstance(item, Task) and not getattr(item, "isTaskComponent", False):
                raise RuntimeError(f"a {type(item).__name__} cannot be in a Task")
            if item not in self._items:
                self._items.append(item)

    def remove(self, item):
        if any(item is held for held in self._items):
            self._items = [held for held in self._items if held is not item]
            return True
        return any(held.remove(item) for held in self._items if isinstance(held, Task))

    def replace(self, old, new):
        replaced = any(held is old for held in self._items)
        changed = [new if held is old else held for held in self._items]
        self._items = [held for held in changed if held is not None]
        for held in self._items:
            if isinstance(held, Task) and held is not new:
                replaced = held.replace(old, new) or replaced
        return replaced

    def components(self):
        for item in self._items:
            if isinstance(item, Task):
                yield from item.components()
            else:
                yield item

    def moduleNames(self):
        return {item.label_() for item in self.components() if isinstance(item, Sequenceable)}

    def contains(self, item):
        return item in self.components()

    def copy(self):
        return Task(*self._items)

    def copyAndExclude(self, items):
        kept = [held for held in self._items if held not in items]
        return Task(*(held.copyAndExclude(items) if isinstance(held, Task) else held for held in kept))

    def copyAndAdd(self, *items):
        return Task(*self._items, *items)

    def dumpPython(self):
        names = [item.type_() if not isinstance(item, Labelable) else item.label_() for item in self._items]
        return f"cms.Task({', '.join('process.' + name for name in names)})\n"


class Schedule(list):
    """The paths that run, in this order, and tasks for all of them."""

    def __init__(self, *paths, tasks=()):
        paths = paths[0] if len(paths) == 1 and isinstance(paths[0], (list, tuple)) else paths
        super().__init__(paths)
        for path in paths:
            self._check(path)
        self._tasks = [tasks] if isinstance(tasks, Task) else list(tasks)

    @staticmethod
    def _check(path):
        if not isinstance(path, (Path, EndPath)):
            raise TypeError(f"a {type(path).__name__} cannot be in a Schedule")

    def append(self, path):
        self._check(path)
        super().append(path)

    def insert(self, index, path):
        self._check(path)
        super().insert(index, path)

    def extend(self, paths):
        for path in paths:
            self.append(path)

    def associate(self, *tasks):
        self._tasks.extend(tasks)

    def tasks(self):
        return self._tasks

    def moduleNames(self):
        return {name for item in [*self, *self._tasks] for name in item.moduleNames()}

    def copy(self):
        return Schedule(*self, tasks=self._tasks)

    def dumpPython(self):
        return f"cms.Schedule({', '.join('process.' + path.label_() for path in self)})\n"

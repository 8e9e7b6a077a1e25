"""Arguments of a configuration: ``cmsRun cfg.py maxEvents=10 inputFiles=file:a.root,file:b.root``.

    from FWCore.ParameterSet.VarParsing import VarParsing
    options = VarParsing("analysis")
    options.register("model", "", VarParsing.multiplicity.singleton, VarParsing.varType.string, "path of it")
    options.parseArguments()

Beside ``name=value`` there are ``name_clear`` and ``name_load=FILE`` (one value a line) for lists, ``help``
and ``print``.
"""

import os
import re
import sys


class _Names:
    """Names that can only be compared: VarParsing.varType.int, ..."""

    def __init__(self, *names):
        self.__dict__.update({name: name for name in names})

    def isValidValue(self, value):
        return value in self.__dict__


_multiplicity = _Names("singleton", "list")
_varType = _Names("bool", "int", "float", "string", "tagString")

# name, default, multiplicity, type, information
_ANALYSIS = (
    ("maxEvents", -1, "singleton", "int", "Number of events to process (-1 for all)"),
    ("totalSections", 0, "singleton", "int", "Total number of sections"),
    ("section", 0, "singleton", "int", "This section (from 1..totalSections inclusive)"),
    ("inputFiles", "", "list", "string", "Files to process"),
    ("secondaryInputFiles", "", "list", "string", "Second group of files to process (if needed)"),
    ("filePrepend", "", "singleton", "string", "String to prepend location of all files"),
    ("outputFile", "output.root", "singleton", "tagString", "Name of output file (if needed)"),
    ("secondaryOutputFile", "", "singleton", "tagString", "Name of second output file (if needed)"),
    ("tag", "", "singleton", "string", "tag to add to output filename"),
)
_STANDARD = (
    ("maxEvents", -1, "singleton", "int", "Number of events to process (-1 for all)"),
    ("files", "", "list", "string", "Files to process"),
    ("secondaryFiles", "", "list", "string", "Second group of files to process (if needed)"),
    ("output", "output.root", "singleton", "tagString", "Name of output file (if needed)"),
    ("secondaryOutput", "", "singleton", "tagString", "Name of second output file (if needed)"),
)


class VarParsing:
    """Variables that a command line may set; each is an attribute."""

    multiplicity = _multiplicity
    varType = _varType

    def __init__(self, *kinds):
        self._lists, self._singletons = {}, {}
        self._types, self._info = {}, {}
        self._beenSet, self._noCommaSplit, self._noDefaultClear = set(), set(), set()
        self._tags = []  # (pattern, condition, argument), the last one is put on first
        self._parsing = False
        for kind in kinds:
            if kind.lower() == "python":
                self.register(
                    "storePrepend", "", _multiplicity.singleton, _varType.string, "Prepend to /store"
                )
            if kind.lower() in ("analysis", "python"):
                self._registerAll(_ANALYSIS)
                self.setupTags(tag="numEvent%d", ifCond="maxEvents > 0", tagArg="maxEvents")
                self.setupTags(tag="%s", ifCond="tag", tagArg="tag")
            elif kind.lower() == "standard":
                self._registerAll(_STANDARD)
                self.setupTags(tag="numEvent%d", ifCond="maxEvents > 0", tagArg="maxEvents")
            else:
                raise RuntimeError(f"VarParsing does not understand '{kind}': write 'analysis' or 'standard'")

    def _registerAll(self, variables):
        for variable in variables:
            self.register(*variable)

    def register(
        self,
        name,
        default="",
        mult=_multiplicity.singleton,
        mytype=_varType.int,
        info="",
        noCommaSplit=False,
        noDefaultClear=False,
    ):
        """Make a variable known."""
        if not _multiplicity.isValidValue(mult) or not _varType.isValidValue(mytype):
            raise RuntimeError(f"{name}: use VarParsing.multiplicity and VarParsing.varType")
        if mult == _multiplicity.list and mytype == _varType.tagString:
            raise RuntimeError(f"{name}: 'tagString' can only be used with 'singleton'")
        if "_" in name:
            raise RuntimeError(f"Name can not contain '_': {name}")
        if name in self._types:
            raise RuntimeError(f"You can not register a name twice, '{name}'")
        self._types[name], self._info[name] = mytype, info
        if mult == _multiplicity.singleton:
            self._singletons[name] = default
        else:
            self._lists[name] = (
                list(default) if isinstance(default, (list, tuple)) else [default] if default else []
            )
        if noCommaSplit:
            self._noCommaSplit.add(name)
        if noDefaultClear:
            self._noDefaultClear.add(name)

    def setupTags(self, tag, ifCond, tagArg=None):
        """Add `tag` to the names of tagString variables when the condition, a Python expression, holds."""
        self._tags.append((tag, ifCond, tagArg))

    def has_key(self, name):
        return name in self._types

    def setNoDefaultClear(self, name, value=True):
        self._requireList(name)
        (self._noDefaultClear.add if value else self._noDefaultClear.discard)(name)

    def setNoCommaSplit(self, name, value=True):
        self._requireList(name)
        (self._noCommaSplit.add if value else self._noCommaSplit.discard)(name)

    def setType(self, name, mytype):
        value = self._singletons[name] if name in self._singletons else self._lists[name]
        self._types[name] = mytype
        self.setDefault(name, value)

    def clearList(self, name):
        self._requireList(name)
        self._lists[name] = []

    def loadFromFile(self, name, filename):
        """Add the lines of a file to a list; # begins a comment."""
        self._requireList(name)
        filename = os.path.expanduser(filename)
        if not os.path.exists(filename):
            raise RuntimeError(f"'{filename}' file does not exist.")
        with open(filename) as lines:
            for line in lines:
                line = re.sub(r"#.*$", "", line).strip()
                if line:
                    self._lists[name].append(self._convert(name, line))

    def setDefault(self, name, *values):
        """Set a variable. A list is added to, but the command line first replaces its default."""
        self._require(name)
        if name in self._singletons:
            if len(values) != 1:
                raise RuntimeError(f"VarParsing.setDefault needs exactly 1 value for '{name}'")
            self._singletons[name] = self._convert(name, values[0])
            return
        if self._parsing and name not in self._beenSet and name not in self._noDefaultClear:
            self._lists[name] = []
        if self._parsing:
            self._beenSet.add(name)
        if len(values) == 1:
            values = values[0] if isinstance(values[0], (list, tuple)) else values
        for value in values:
            whole = name in self._noCommaSplit or not isinstance(value, str)
            for item in [value] if whole else value.split(","):
                self._lists[name].append(self._convert(name, item))

    def parseArguments(self):
        """Read what follows the configuration's name in sys.argv."""
        start = next((i for i, word in enumerate(sys.argv) if word.endswith(".py")), None)
        if start is None:
            raise RuntimeError(
                "VarParsing.parseArguments() Failure: No configuration file found ending in .py."
            )
        self._parsing = True
        wanted = set()
        for argument in sys.argv[start + 1 :]:
            name, equals, value = argument.partition("=")
            name, underscore, command = name.partition("_")
            if equals and not underscore:
                self._assign(name, value)
            elif underscore:
                self._require(name)
                if command.lower() == "clear":
                    self.clearList(name)
                elif command.lower() == "load" and equals:
                    self.loadFromFile(name, value)
                else:
                    raise RuntimeError(f"Unknown command '{command}' in '{argument}'")
            elif argument.lower().lstrip("-") in ("help", "print"):
                wanted.add(argument.lower().lstrip("-"))
            elif argument.lower().lstrip("-") == "noprint":
                wanted.discard("print")
            else:
                raise RuntimeError(f"Do not understand command '{argument}'")
        self._prepareFiles()
        self._parsing = False
        if "help" in wanted:
            self.help()
        if "print" in wanted:
            print(self)

    def _assign(self, name, value):
        self._require(name)
        if name in self._singletons:
            if name in self._beenSet:
                raise RuntimeError(f"Variable '{name}' assigned multiple times.")
            self._beenSet.add(name)
        self.setDefault(name, value)

    def _prepareFiles(self):
        """Of inputFiles keep the wanted section, and prepend what was asked for."""
        if "inputFiles" not in self._lists:
            return
        files = self._lists["inputFiles"]
        total, section = (self._singletons.get(name, 0) for name in ("totalSections", "section"))
        if total and section:
            if not 1 <= section <= total:
                raise RuntimeError(f"section {section} is not one of {total}")
            size, rest = divmod(len(files), total)
            first = (section - 1) * size + min(section - 1, rest)
            files = files[first : first + size + (section <= rest)]
        store = self._singletons.get("storePrepend", "")
        files = [store + name if name.startswith("/store/") else name for name in files]
        self._lists["inputFiles"] = [self._singletons.get("filePrepend", "") + name for name in files]

    def help(self):
        print(self)
        print(
            "Options:\n    help           : This screen\n    print          : Prints out current values\n"
            "    XXX_clear      : Clears list named 'XXX'\n"
            "    XXX_load=FILE  : Adds the lines of a file to list 'XXX'"
        )
        sys.exit(0)

    def _convert(self, name, value):
        kind = self._types[name]
        text = str(value)
        if kind == _varType.bool:
            if text.lower() not in ("true", "1", "false", "0"):
                raise RuntimeError(f"Unknown bool value '{text}'.  Must be 'true' or 'false'")
            return text.lower() in ("true", "1")
        if kind == _varType.int:
            return int(text, 0)
        if kind == _varType.float:
            return float(text)
        return text

    def _withTags(self, name):
        """The value without .root, then the tags that apply, then .root."""
        value = self._singletons[name]
        if value.endswith(".root"):
            value = value[: -len(".root")]
        for pattern, condition, argument in reversed(self._tags):
            if eval(condition, {}, _Lookup(self)):
                value += "_" + (pattern % getattr(self, argument) if argument else pattern)
        return value + ".root"

    def _require(self, name):
        if name not in self._types:
            raise RuntimeError(
                f"Unknown variable: '{name}' is not registered. Known are: {', '.join(sorted(self._types))}"
            )

    def _requireList(self, name):
        self._require(name)
        if name not in self._lists:
            raise RuntimeError(f"'{name}' is not a list")

    def __str__(self):
        lines = []
        for title, variables in (("Singletons", self._singletons), ("Lists", self._lists)):
            lines.append(f"{title}:")
            for name, value in sorted(variables.items()):
                lines.append(f"  {name:20}: {value}")
                if self._info[name]:
                    lines.append(f"  {'':18}  - {self._info[name]}")
        return "\n".join(lines)

    def __setattr__(self, name, value):
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self.setDefault(name, value)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        self._require(name)
        if name in self._lists:
            return self._lists[name]
        return self._withTags(name) if self._types[name] == _varType.tagString else self._singletons[name]


class _Lookup(dict):
    """Lets a tag's condition name variables."""

    def __init__(self, options):
        super().__init__()
        self._options = options

    def __missing__(self, name):
        return getattr(self._options, name)

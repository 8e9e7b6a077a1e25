"""Electrons and photons in the barrel of the ECAL."""

from __future__ import annotations

from e2e.geometry import BARREL, Crop
from e2e.tasks.definition import Task
from e2e.tasks.goals import Classification
from e2e.tasks.quantities import SEED_ETA, Channel, Quantity
from e2e.tasks.simulation import DETECTORS, NO_NUMBER, Expectation, Simulation, converted, radiated

PHOTONS = "arXiv:1502.02702"
ELECTRONS = "arXiv:1502.02701"
ECAL = "arXiv:1306.2016"
TRACKER = "JINST 3 S08004"
DESIGN_REPORT = "CERN/LHCC 97-33"
# Opposite at the two ends of the barrel, since crystals lean to opposite sides there.
LEAN = "sign: axes of CMS's crystals"

# Tracker material in X0 at |eta| of 0 and 1.4: 0.4, and 1.8 (JINST 3 S08004) to 2.0 (arXiv 1502.02701); each
# known to 10 % (CMS-PAS-TRK-10-003).
MATERIAL = {0.0: (0.36, 0.44), 1.4: (1.62, 2.2)}

_CENTRAL = 0.18  # crystals, 4 mm: impact in the middle of a crystal, as in the test beam
# Shapes and resolutions are published of momenta like those of the decays of Z and Higgs bosons.
NEAR = "pt > 40 and pt < 62.5"  # GeV
_PHOTON, _ELECTRON = f"particle == 'photon' and {NEAR}", f"particle == 'electron' and {NEAR}"
_UNCONVERTED = f"{_PHOTON} and conversion == 0"
_CENTRE, _END = "abs(eta) < 0.1", "abs(eta) > 1.35"

EXPECTATIONS = (
    Expectation(
        "E1/E25, unconverted photons, impact in the middle of a crystal",
        "e1_e25",
        f"{_UNCONVERTED} and offset < {_CENTRAL}",
        "mean",
        0.75,
        0.82,
        DESIGN_REPORT,
    ),
    Expectation("E9/E25, unconverted photons", "e9_e25", _UNCONVERTED, "mean", 0.950, 0.975, DESIGN_REPORT),
    Expectation("R9, unconverted photons", "r9", _UNCONVERTED, "median", 0.94, 0.98, PHOTONS),
    Expectation(
        "sigma_ieta_ieta, unconverted photons",
        "sigma_ieta_ieta",
        _UNCONVERTED,
        "median",
        0.0085,
        0.0100,
        PHOTONS,
    ),
    Expectation(
        "sigma_ieta_ieta, electrons", "sigma_ieta_ieta", _ELECTRON, "median", 0.0085, 0.0105, ELECTRONS
    ),
    *(
        Expectation(
            f"signed asymmetry in phi, {text}{where}",
            column,
            f"particle == '{particle}'{selection}",
            "mean",
            *interval,
            LEAN,
        )
        for particle, text in (("photon", "photons"), ("electron", "electrons"))
        for column, where, selection, interval in (
            ("asymmetry_phi", ", z < 0", " and end < 0", (0.0, 0.05)),
            ("asymmetry_phi", ", z > 0", " and end > 0", (-0.05, 0.0)),
            ("outward_asymmetry_phi", ", turned outward", "", (-0.05, 0.0)),
        )
    ),
    Expectation("phi width, photons", "phi_width", _PHOTON, "median", None, None, NO_NUMBER),
    Expectation("phi width, electrons", "phi_width", _ELECTRON, "median", None, None, NO_NUMBER),
    *(
        Expectation(
            f"{name}, {selection}",
            column,
            f"particle == '{particle}' and {selection}",
            "mean",
            law(MATERIAL[eta][0]),
            law(MATERIAL[eta][1]),
            source,
        )
        for name, column, particle, law, source in (
            ("brem fraction, electrons", "brem", "electron", radiated, ELECTRONS),
            ("converted fraction, photons", "is_converted", "photon", converted, f"{TRACKER}, {ELECTRONS}"),
        )
        for selection, eta in ((_CENTRE, 0.0), (_END, 1.4))
    ),
    Expectation(
        "energy resolution, unconverted photons",
        "response",
        _UNCONVERTED,
        "half_width",
        0.005,
        0.015,
        PHOTONS,
    ),
    Expectation("energy resolution, photons", "response", _PHOTON, "half_width", 0.011, 0.026, ECAL),
    Expectation(
        "energy resolution, electrons, abs(eta) < 0.8",
        "response",
        f"{_ELECTRON} and abs(eta) < 0.8",
        "half_width",
        0.010,
        0.020,
        ECAL,
    ),
)

TASK = Task(
    name="electron_photon",
    channels=(Channel("EB_energy", "GeV"), Channel("EB_time", "ns")),
    detector=BARREL,
    # Crystals of the two ends lean to opposite sides in phi, and a shower looks as it leans.
    crop=Crop(rows=32, columns=32, seed_row=15, seed_column=15, outward=True),
    objects="photon",
    kinematics=(
        Quantity("pho_pT", "GeV"),
        Quantity("pho_E", "GeV"),
        Quantity("pho_eta", "1"),
        Quantity("pho_phi", "rad"),
    ),
    offered=(SEED_ETA.name,),
    goal=Classification(("photon", "electron")),
    balance=("pho_pT", "pho_eta"),
    features="shower shapes",
    truth={"gen_pdgId": {22: "photon", 11: "electron"}},
    simulation=Simulation(
        module="electron_photon",
        pooled=False,
        samples={"electron": "electron", "photon": "photon"},
        validation="validation",
        expectations=EXPECTATIONS,
        pt=(20.0, 100.0),
        others={**DETECTORS, "pt_30": {"pt": (30.0,)}, "pt_100": {"pt": (100.0,)}},
    ),
    shown=(6, 15),
)

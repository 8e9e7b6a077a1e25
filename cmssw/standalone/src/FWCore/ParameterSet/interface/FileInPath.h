// The place where CMSSW kept this class before 11_3.
#include "FWCore/Utilities/interface/FileInPath.h"

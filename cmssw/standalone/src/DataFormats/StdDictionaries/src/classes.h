#include <string>
#include <vector>

#include "DataFormats/Common/interface/Wrapper.h"

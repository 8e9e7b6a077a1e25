#include "DataFormats/Common/interface/WrapperBase.h"

namespace edm {

  // Here, so that the class has one home for its virtual table.
  WrapperBase::~WrapperBase() = default;

}  // namespace edm

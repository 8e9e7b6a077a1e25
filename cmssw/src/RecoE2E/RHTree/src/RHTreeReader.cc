#include "RecoE2E/RHTree/interface/RHTreeReader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <limits>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "TBasket.h"
#include "TBranch.h"
#include "TBuffer.h"
#include "TDirectory.h"
#include "TKey.h"
#include "TLeaf.h"
#include "TNamed.h"
#include "TTree.h"
#include "TTreeCache.h"

#include "FWCore/Utilities/interface/EDMException.h"
#include "FWCore/Utilities/interface/ExceptionPropagate.h"

namespace e2e {

  namespace {
    constexpr char const* kInvalidNtuple = "InvalidNtuple";
    constexpr char const* kAnew = "; fetch or write it again";
    // More than any basket, tree record or marker has: a larger one is a damaged number, or made to exhaust memory.
    constexpr std::int64_t kLargestRecord = std::int64_t(1) << 28;
    constexpr std::size_t kVectorHeader = 10;  // of a std::vector in a basket: bytes that follow, version, size
    constexpr int kDeepest = 20;               // folders in folders of a file
    constexpr int kShortestKey = 45, kLongestKey = 1024;  // of a basket: what is always there, and three names

    template <typename T>
    T bigEndian(char const* bytes) {
      T number = 0;
      for (std::size_t i = 0; i < sizeof(T); ++i)
        number = static_cast<T>(number << 8) | static_cast<unsigned char>(bytes[i]);
      return number;
    }

    /// What an exception says, in one line; ROOT's errors have only additional information.
    std::string reason(cms::Exception const& error) {
      auto text = error.message();
      for (auto const& info : error.additionalInfo())
        text += (text.empty() ? "" : " ") + info;
      constexpr std::string_view prefix = "Fatal Root Error: @SUB=";
      if (text.compare(0, prefix.size(), prefix) == 0)
        text.erase(0, prefix.size());
      while (not text.empty() and text.back() == '\n')
        text.pop_back();
      std::replace(text.begin(), text.end(), '\n', ' ');
      return text;
    }

    /// The path of a file of this machine; nothing for one that is reached in another way.
    std::optional<std::string> localPath(std::string const& name) {
      constexpr std::string_view scheme = "file:";
      if (name.compare(0, scheme.size(), scheme) == 0) {
        auto path = name.substr(scheme.size());
        while (path.compare(0, 2, "//") == 0)
          path.erase(0, 1);
        return path;
      }
      return name.find("://") == std::string::npos ? std::optional<std::string>(name) : std::nullopt;
    }

    /// Bytes as Python writes them: b'PK\x03\x04'.
    std::string asPython(std::string_view bytes) {
      char const quote =
          bytes.find('\'') != std::string_view::npos and bytes.find('"') == std::string_view::npos ? '"' : '\'';
      std::string text = std::string("b") + quote;
      for (unsigned char const c : bytes) {
        constexpr char const* digits = "0123456789abcdef";
        if (c == '\\' or c == quote)
          (text += '\\') += static_cast<char>(c);
        else if (c == '\t' or c == '\n' or c == '\r')
          (text += '\\') += c == '\t' ? 't' : c == '\n' ? 'n' : 'r';
        else if (c >= ' ' and c < 127)
          text += static_cast<char>(c);
        else
          ((text += "\\x") += digits[c >> 4]) += digits[c & 15];
      }
      return text + quote;
    }

    /// What the header of a ROOT file says of it: where records lie, and how many bytes they have.
    struct Header {
      std::uint64_t end;
      std::uint64_t free, info;  // written when the file is closed
      std::uint32_t begin, freeBytes, infoBytes, nameBytes;

      bool closed() const { return free != 0 and info != 0; }
      /// ROOT believes these numbers, and crashes on wrong ones.
      bool possible() const {
        return begin == 100 and end > begin and nameBytes >= 10 and nameBytes <= 10000 and free + freeBytes <= end and
               info + infoBytes <= end and free < end and info < end;
      }
    };

    Header parse(std::string const& bytes) {
      auto const word = [&](std::size_t at) { return bigEndian<std::uint32_t>(bytes.data() + at); };
      auto const longWord = [&](std::size_t at) { return bigEndian<std::uint64_t>(bytes.data() + at); };
      if (word(4) >= 1000000)  // versions above a million have positions of 64 bits
        return {longWord(12), longWord(20), longWord(45), word(8), word(28), word(53), word(36)};
      return {word(12), word(16), word(37), word(8), word(20), word(41), word(28)};
    }

    /// Whether the first record after the header, the file's own key and directory, is what ROOT takes it for.
    bool beginsAsFile(std::string_view bytes, Header const& header) {
      auto const length = std::min<std::size_t>(bytes.size(), header.begin + header.nameBytes);
      std::size_t at = header.begin + 18;
      auto const number = [&](std::size_t place, std::size_t size) -> std::uint64_t {
        return size == 8   ? bigEndian<std::uint64_t>(bytes.data() + place)
               : size == 4 ? bigEndian<std::uint32_t>(bytes.data() + place)
                           : bigEndian<std::uint16_t>(bytes.data() + place);
      };
      auto const skip = [&]() -> std::optional<std::string_view> {  // a string: its length in one byte, or in five
        std::size_t size = at < length ? static_cast<unsigned char>(bytes[at++]) : length;
        if (size == 255 and at + 4 <= length) {
          size = number(at, 4);
          at += 4;
        }
        if (size > length - std::min(at, length))
          return std::nullopt;
        at += size;
        return bytes.substr(at - size, size);
      };
      if (length < at or bytes.size() < length + 42)
        return false;
      at += 2 * (number(header.begin + 4, 2) > 1000 ? 8 : 4);  // positions of 64 bits from version 1000 on
      auto const type = skip();
      if (type != "TFile" or not skip() or not skip() or at != header.begin + number(header.begin + 14, 2) or
          not skip() or not skip() or at != length)
        return false;
      std::size_t const wide = number(at, 2) > 1000 ? 8 : 4;
      auto const keys = number(at + 18 + 2 * wide, wide);
      return number(at + 14, 4) == header.nameBytes and keys < header.end and number(at + 10, 4) <= header.end - keys;
    }

    /// Throws unless a file of this machine begins as a whole ROOT file does; the sentences are those of `e2e convert`.
    void checkHeader(std::string const& path) {
      constexpr std::size_t length = 64, longest = 11000;  // of a header, and of the names and the directory after it
      std::string bytes(longest, '\0');
      struct stat status {};
      // a pipe may never give a byte
      if (stat(path.c_str(), &status) == 0 and not S_ISREG(status.st_mode) and not S_ISDIR(status.st_mode))
        throw edm::Exception(edm::errors::FileOpenError)
            << path << ": cannot be opened (no ordinary file); copy what it gives into one";
      int const descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
      auto const count =
          descriptor < 0 or fstat(descriptor, &status) != 0 ? -1 : read(descriptor, bytes.data(), longest);
      int const error = errno;
      if (descriptor >= 0)
        close(descriptor);
      if (count < 0)
        throw edm::Exception(edm::errors::FileOpenError)
            << path << ": cannot be opened (" << std::strerror(error) << ")";
      auto const refuse = [&](std::string const& why) {
        throw edm::Exception(edm::errors::FileReadError) << path << ": " << why;
      };
      if (status.st_size == 0)
        refuse(std::string("empty file") + kAnew);
      auto const start = bytes.find_first_not_of(" \t\n\r\v\f");
      if (start < static_cast<std::size_t>(count) and bytes[start] == '<')
        refuse("an HTML page, not a ROOT file; fetch the file behind the link");
      if (bytes.compare(0, 4, "root") != 0)
        refuse("not a ROOT file (it starts with " + asPython(bytes.substr(0, std::min<std::size_t>(count, 4))) + ")");
      bytes.resize(std::max<std::size_t>(count, length));
      auto const header = parse(bytes);
      auto const size = static_cast<std::uint64_t>(status.st_size);
      if (size < header.end)
        refuse("truncated ROOT file, " + std::to_string(size) + " of " + std::to_string(header.end) + " bytes" + kAnew);
      if (size < length)
        refuse(std::string("damaged ROOT file (its header is cut off)") + kAnew);
      if (not header.closed())
        refuse(std::string("a ROOT file that was not closed") + kAnew);
      if (not header.possible() or not beginsAsFile(bytes, header))
        refuse(std::string("damaged ROOT file (its header names records that cannot be)") + kAnew);
    }

    /// Name of a type as uproot, and so `e2e convert`, writes it: std::vector<std::vector<float>>, uint32_t.
    std::string asUproot(std::string name) {
      auto const replace = [&name](std::string_view from, std::string_view to) {
        for (auto at = name.find(from); at != std::string::npos; at = name.find(from, at + to.size()))
          name.replace(at, from.size(), to);
      };
      replace(" >", ">");
      replace("vector<", "std::vector<");
      constexpr std::pair<std::string_view, std::string_view> types[] = {{"ULong64_t", "uint64_t"},
                                                                         {"Long64_t", "int64_t"},
                                                                         {"UInt_t", "uint32_t"},
                                                                         {"Int_t", "int32_t"},
                                                                         {"UShort_t", "uint16_t"},
                                                                         {"Short_t", "int16_t"},
                                                                         {"UChar_t", "uint8_t"},
                                                                         {"Char_t", "int8_t"},
                                                                         {"Bool_t", "bool"},
                                                                         {"Float_t", "float"},
                                                                         {"Double_t", "double"},
                                                                         {"<unsigned int>", "<uint32_t>"},
                                                                         {"<int>", "<int32_t>"},
                                                                         {"<unsigned short>", "<uint16_t>"},
                                                                         {"<short>", "<int16_t>"}};
      for (auto const& [from, to] : types)
        if (name == from or from.front() == '<')
          replace(from, to);
      return name;
    }

    std::string typeOf(TBranch const& branch) {
      auto const text = [](char const* name) { return std::string(name == nullptr ? "" : name); };
      if (auto const name = text(branch.GetClassName()); not name.empty())
        return asUproot(name);
      auto const* leaf = static_cast<TLeaf const*>(const_cast<TBranch&>(branch).GetListOfLeaves()->First());
      if (leaf == nullptr)
        return "nothing";
      auto const length = leaf->GetLeafCount() != nullptr ? "[]"
                          : leaf->GetLenStatic() > 1      ? '[' + std::to_string(leaf->GetLenStatic()) + ']'
                                                          : "";
      auto const type = text(leaf->GetTypeName());
      return type.empty() ? "of an unknown type" : asUproot(type) + length;
    }

    /// Paths of the trees in a folder of a file and those below it.
    void collectTrees(TDirectory& folder, std::string const& prefix, int depth, std::vector<std::string>& trees) {
      for (auto* object : *folder.GetListOfKeys()) {
        auto* key = static_cast<TKey*>(object);
        auto const path = prefix + key->GetName();
        std::string_view const type = key->GetClassName();
        if (type == "TTree" and std::find(trees.begin(), trees.end(), path) == trees.end())
          trees.push_back(path);
        else if ((type == "TDirectory" or type == "TDirectoryFile") and depth < kDeepest)
          if (auto* inner = folder.GetDirectory(key->GetName()))
            collectTrees(*inner, path + '/', depth + 1, trees);
      }
    }
  }  // namespace

  /// Calls ROOT, whose errors and warnings cmsRun turns into exceptions: here they say that the file is damaged.
  template <typename F>
  auto RHTreeReader::fromRoot(F&& call) const {
    try {
      return call();
    } catch (cms::Exception const& error) {
      throwDamaged(reason(error));
    } catch (std::exception const& error) {  // such as too little memory for a number of bytes that makes no sense
      throwDamaged(error.what());
    }
  }

  void RHTreeReader::throwDamaged(std::string const& why) const {
    throw edm::Exception(edm::errors::FileReadError) << name_ << ": damaged ROOT file (" << why << ")" << kAnew;
  }

  /// Throws for a record compressed by an algorithm that `e2e convert` cannot read; `method` are its first two bytes.
  void RHTreeReader::checkMethod(char const* method) const {
    if (std::string_view(method, 2) == "CS")
      throw edm::Exception(edm::errors::FileReadError)
          << name_
          << ": compressed by ROOT's old algorithm (CS), which is not read; write it again (hadd -f505 "
             "NEW.root OLD.root)";
  }

  RHTreeReader::RHTreeReader(std::string fileName, std::string const& tree)
      : fileName_(std::move(fileName)), name_(fileName_), treePath_(tree) {
    TDirectory::TContext const restoreDirectory;
    openFile();
    auto* key = this->key(tree);
    if (key == nullptr) {
      std::vector<std::string> trees;
      fromRoot([&] { collectTrees(*file_, "", 0, trees); });
      std::string names;
      for (auto const& name : trees)
        names += (names.empty() ? "" : ", ") + name;
      throw cms::Exception(kInvalidNtuple)
          << name_ << ": no tree " << tree << "; trees in the file: " << (names.empty() ? "none" : names);
    }
    // Another class must not even be read: it may not be one that ROOT takes for an object of its own.
    if (std::string_view(key->GetClassName()) != "TTree")
      throw cms::Exception(kInvalidNtuple)
          << name_ << ": " << tree << " is a " << key->GetClassName() << "; MLAnalyzer writes a TTree";
    if (key->GetObjlen() < 0 or key->GetObjlen() > kLargestRecord)
      throwDamaged(tree + " has " + std::to_string(key->GetObjlen()) + " bytes");
    std::array<char, 2> method{};
    if (fromRoot([&] { return file_->ReadBuffer(method.data(), key->GetSeekKey() + key->GetKeylen(), method.size()); }))
      throwDamaged(tree + " lies outside the file");
    if (key->GetNbytes() - key->GetKeylen() < key->GetObjlen())
      checkMethod(method.data());
    tree_ = fromRoot([&] { return key->ReadObject<TTree>(); });
    if (tree_ == nullptr)
      throwDamaged(tree + " cannot be read");
    tree_->SetMaxVirtualSize(0);  // a file may say how many baskets to keep in memory
    if (local_)
      tree_->SetCacheSize(0);  // the system reads ahead, and ROOT's cache believes what a tree says of its clusters
    entries_ = tree_->GetEntries();
    for (auto* object : *tree_->GetListOfBranches())
      if (auto* branch = dynamic_cast<TBranch*>(object))
        branches_.emplace(branch->GetName(), branch);
  }

  RHTreeReader::~RHTreeReader() = default;

  void RHTreeReader::openFile() {
    if (auto const path = localPath(fileName_)) {
      local_ = true;
      name_ = *path;
      checkHeader(name_);
    }
    std::string why;
    bool opened = local_;  // which is already known
    try {
      // Unregistered: ROOT would keep a file whose constructor an error has ended, and crash on it when the job ends.
      file_.reset(TFile::Open(fileName_.c_str(), "READ_WITHOUT_GLOBALREGISTRATION"));
      // CMSSW's own TFile cannot throw through ROOT: it leaves its exception here, and itself half open.
      if (auto const error = edm::threadLocalException::getException()) {
        edm::threadLocalException::setException(nullptr);
        file_.reset();
        std::rethrow_exception(error);
      }
    } catch (edm::Exception const& error) {
      opened = opened or error.categoryCode() != edm::errors::FileOpenError;
      why = reason(error);
    } catch (cms::Exception const& error) {
      opened = true;
      why = reason(error);
    } catch (std::exception const& error) {
      opened = true;
      why = error.what();
    }
    if (not file_ and not opened)
      throw edm::Exception(edm::errors::FileOpenError) << name_ << ": cannot be opened (" << why << ")";
    if (not file_ or file_->IsZombie())
      throwDamaged(why.empty() ? "ROOT cannot read its first records" : why);
    if (file_->TestBit(TFile::kRecovered))
      throw edm::Exception(edm::errors::FileReadError) << name_ << ": a ROOT file that was not closed" << kAnew;
  }

  /// The key of what lies at a path of the file; null where there is nothing.
  TKey* RHTreeReader::key(std::string const& path) const {
    auto const slash = path.rfind('/');
    return fromRoot([&]() -> TKey* {
      TDirectory* const folder =
          slash == std::string::npos ? file_.get() : file_->GetDirectory(path.substr(0, slash).c_str());
      return folder == nullptr ? nullptr : folder->GetKey(path.substr(slash + 1).c_str());
    });
  }

  std::set<std::string> RHTreeReader::branches() const {
    std::set<std::string> names;
    for (auto const& named : branches_)
      names.insert(named.first);
    return names;
  }

  std::optional<std::string> RHTreeReader::title(std::string const& path) const {
    auto* key = this->key(path);
    if (key == nullptr or std::string_view(key->GetClassName()) != "TNamed")
      return std::nullopt;
    if (key->GetObjlen() < 0 or key->GetObjlen() > kLargestRecord)
      throwDamaged(path + " has " + std::to_string(key->GetObjlen()) + " bytes");
    std::unique_ptr<TNamed> const marker(fromRoot([&] { return key->ReadObject<TNamed>(); }));
    if (not marker)
      throwDamaged(path + " cannot be read");
    return marker->GetTitle();
  }

  TBranch* RHTreeReader::branch(std::string const& name, std::string const& purpose) const {
    auto const found = branches_.find(name);
    if (found == branches_.end())
      throw cms::Exception(kInvalidNtuple)
          << name_ << ": " << treePath_ << " has no branch " << name << purpose << "; write the ntuple with it";
    return found->second;
  }

  bool RHTreeReader::holdsVectors(std::string const& name) const {
    auto const found = branches_.find(name);
    return found != branches_.end() and typeOf(*found->second) == "std::vector<float>";
  }

  RHTreeReader::Integer RHTreeReader::integer(std::string const& name) const {
    constexpr std::array<std::string_view, 4> types{{"uint32_t", "int32_t", "uint64_t", "int64_t"}};
    auto* branch = this->branch(name);
    auto const type = typeOf(*branch);
    auto const found = std::find(types.begin(), types.end(), type) - types.begin();
    if (found == 4 or branch->GetNleaves() != 1)
      throw cms::Exception(kInvalidNtuple)
          << name_ << ": branch " << name << " is " << type << "; expected one whole number of 32 or 64 bits an event";
    checkBaskets(*branch);
    return {branch, found < 2 ? sizeof(std::uint32_t) : sizeof(std::uint64_t), found % 2 == 1};
  }

  RHTreeReader::Vectors RHTreeReader::vectors(std::string const& name, std::string const& purpose) const {
    Vectors vectors;
    vectors.name_ = name;
    vectors.branch_ = branch(name, purpose);
    auto const type = typeOf(*vectors.branch_);
    if (type != "std::vector<float>")
      throw cms::Exception(kInvalidNtuple)
          << name_ << ": branch " << name << " is " << type << "; expected one std::vector<float> an event";
    checkBaskets(*vectors.branch_);
    return vectors;
  }

  /// Throws where a branch says of its baskets what cannot be.
  void RHTreeReader::checkBaskets(TBranch const& branch) const {
    if (entries_ < 0 or branch.GetEntries() != entries_)
      throwDamaged(std::string(branch.GetName()) + " has " + std::to_string(branch.GetEntries()) + " of " +
                   std::to_string(entries_) + " entries");
    if (entries_ == 0)
      return;
    auto const* first = branch.GetBasketEntry();
    auto const last = branch.GetWriteBasket();
    if (first == nullptr or branch.GetBasketBytes() == nullptr or last < 0 or last >= branch.GetMaxBaskets() or
        *first != 0 or not std::is_sorted(first, first + last + 1) or first[last] > entries_)
      throwDamaged(std::string("the baskets of ") + branch.GetName() + " are not in order");
  }

  void RHTreeReader::readAhead(std::vector<std::string> const& branches) const {
    fromRoot([&] {
      auto* cache = local_ ? nullptr : tree_->GetReadCache(file_.get(), true);
      if (cache == nullptr)
        return;
      cache->StartLearningPhase();  // anew: of other branches than before
      for (auto const& name : branches)
        tree_->AddBranchToCache(branch(name));
      tree_->StopCacheLearningPhase();
    });
  }

  void RHTreeReader::goTo(std::int64_t entry) const {
    if (not local_)
      fromRoot([&] { return tree_->LoadTree(entry); });
  }

  /// A basket in memory. How large it becomes there is looked at before ROOT takes that memory.
  TBasket* RHTreeReader::basket(TBranch& branch, int number) const {
    auto const what = "basket " + std::to_string(number) + " of " + branch.GetName();
    auto const* there = branch.GetListOfBaskets();
    if (number >= there->GetSize() or there->UncheckedAt(number) == nullptr) {
      std::int64_t const position = branch.GetBasketSeek(number), size = branch.GetBasketBytes()[number];
      std::array<char, kLongestKey> header{};
      auto const length = static_cast<int>(std::min<std::int64_t>(size, kLongestKey));
      if (position <= 0 or size < kShortestKey or position + size > file_->GetEND() or
          fromRoot([&] { return file_->ReadBuffer(header.data(), position, length); }))
        throwDamaged(what + " lies outside the file");
      // Of a record: bytes in the file, version, bytes in memory, date, bytes of its key; whose last are, of a basket,
      // the number of entries, where their data end (the key counted), and a flag.
      auto const inMemory = static_cast<std::int32_t>(bigEndian<std::uint32_t>(header.data() + 6));
      auto const key = static_cast<int>(bigEndian<std::uint16_t>(header.data() + 14));
      if (inMemory < 0 or inMemory > kLargestRecord)
        throwDamaged(what + " has " + std::to_string(inMemory) + " bytes");
      if (key < kShortestKey or key > length)
        throwDamaged(what + " has a key of " + std::to_string(key) + " bytes");
      if (size - key < inMemory and key + 2 <= length)
        checkMethod(header.data() + key);
      auto const entries = bigEndian<std::uint32_t>(header.data() + key - 9);
      auto const end = static_cast<std::int32_t>(bigEndian<std::uint32_t>(header.data() + key - 5));
      if (entries != count(branch, number) or end < key or end > std::int64_t(key) + inMemory)
        throwDamaged(what + " does not hold " + std::to_string(count(branch, number)) + " entries");
    }
    auto* basket = fromRoot([&] { return branch.GetBasket(number); });
    if (basket == nullptr)
      throwDamaged(what + " cannot be read");
    return basket;
  }

  namespace {
    /// Number of the basket that holds an entry.
    int basketOf(TBranch const& branch, std::int64_t entry) {
      auto const* first = branch.GetBasketEntry();
      return static_cast<int>(std::upper_bound(first, first + branch.GetWriteBasket() + 1, entry) - first) - 1;
    }
  }  // namespace

  /// Number of entries that a basket has by what its branch says.
  std::int64_t RHTreeReader::count(TBranch const& branch, int number) const {
    auto const* first = branch.GetBasketEntry() + number;
    return (number < branch.GetWriteBasket() ? first[1] : entries_) - first[0];
  }

  RHTreeReader::Number RHTreeReader::read(Integer const& integer, std::int64_t entry, std::uint64_t largest) const {
    auto& branch = *integer.branch;
    auto const number = basketOf(branch, entry);
    auto* basket = this->basket(branch, number);
    auto const* buffer = basket->GetBufferRef();
    auto const bytes = std::int64_t(basket->GetLast()) - basket->GetKeylen();
    auto const entries = count(branch, number);
    if (buffer == nullptr or basket->GetKeylen() < 0 or basket->GetLast() > buffer->BufferSize() or
        bytes != entries * static_cast<std::int64_t>(integer.size))
      throwDamaged("basket " + std::to_string(number) + " of " + branch.GetName() + " does not hold " +
                   std::to_string(entries) + " numbers");
    auto const* at = buffer->Buffer() + basket->GetKeylen() + (entry - branch.GetBasketEntry()[number]) * integer.size;
    bool const narrow = integer.size == sizeof(std::uint32_t);
    std::uint64_t const magnitude = narrow ? bigEndian<std::uint32_t>(at) : bigEndian<std::uint64_t>(at);
    auto const number64 = narrow ? static_cast<std::int32_t>(magnitude) : static_cast<std::int64_t>(magnitude);
    bool const negative = integer.isSigned and number64 < 0;
    Number result{negative ? std::to_string(number64) : std::to_string(magnitude), std::nullopt};
    if (not negative and magnitude > 0 and magnitude <= largest)
      result.value = magnitude;
    return result;
  }

  /// Finds where in its basket the vector of an entry lies. The vectors of a basket follow one another, and each tells
  /// its bytes and its size: only where both agree are they what they seem.
  RHTreeReader::Vectors::Span const& RHTreeReader::span(Vectors& vectors, std::int64_t entry) const {
    auto& branch = *vectors.branch_;
    auto const number = basketOf(branch, entry);
    auto* basket = this->basket(branch, number);
    if (basket != vectors.basket_ or number != vectors.number_) {
      vectors.basket_ = nullptr;
      vectors.spans_.clear();
      auto const count = this->count(branch, number);
      auto const* buffer = basket->GetBufferRef();
      auto const damaged = [&] {
        throwDamaged("basket " + std::to_string(number) + " of " + branch.GetName() + " does not hold " +
                     std::to_string(count) + " vectors of numbers");
      };
      if (buffer == nullptr or basket->GetKeylen() < 0 or basket->GetLast() < basket->GetKeylen() or
          basket->GetLast() > buffer->BufferSize())
        damaged();
      std::size_t at = basket->GetKeylen();
      std::size_t const end = basket->GetLast();
      for (std::int64_t i = 0; i < count; ++i) {
        if (end - at < kVectorHeader)
          damaged();
        auto const* header = buffer->Buffer() + at;
        std::size_t const bytes = (bigEndian<std::uint32_t>(header) & ~0x40000000u) + std::size_t(4);
        std::size_t const size = bigEndian<std::uint32_t>(header + 6);
        if (bytes > end - at or bytes != kVectorHeader + 4 * size)
          damaged();
        vectors.spans_.push_back({at + kVectorHeader, size});
        at += bytes;
      }
      if (at != end)
        damaged();
      vectors.basket_ = basket;
      vectors.number_ = number;
      vectors.first_ = branch.GetBasketEntry()[number];
    }
    return vectors.spans_[entry - vectors.first_];
  }

  std::size_t RHTreeReader::size(Vectors& branch, std::int64_t entry) const { return span(branch, entry).size; }

  void RHTreeReader::read(Vectors& branch, std::int64_t entry, std::vector<float>& values) const {
    auto const& from = span(branch, entry);
    auto const* begin = branch.basket_->GetBufferRef()->Buffer() + from.begin;
    values.resize(from.size);
    for (std::size_t i = 0; i < from.size; ++i) {
      auto const word = bigEndian<std::uint32_t>(begin + 4 * i);
      std::memcpy(&values[i], &word, sizeof word);
    }
  }

}  // namespace e2e

package dynamostore

import (
	"strings"
	"unicode/utf8"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Key is an attribute of a table's primary key. Its value is the storage key of a session between prefix and suffix.
// They are what keeps sessions apart from other items in the same table, whatever the prefixes of those: nothing is
// listed, collected or deleted but what is a key of this layout. See docs/decisions/0013.
type Key struct {
	// Name is the name of the attribute.
	Name string
	// Prefix and Suffix stand before and behind the storage key. A prefix ends, and a suffix begins, with a separator:
	// an ASCII character that is no letter, no digit and none of - _ %, such as : or #. Default: nothing.
	Prefix, Suffix string
}

// A storage key is told from what stands around it by its characters: between prefix and suffix there are no
// separators, and what a key has of them is escaped. The keys that tokens of scs and secrets make have none.
const (
	escapeByte = '%'
	hexDigits  = "0123456789ABCDEF"
	// storageKeyBytes is the length of a token of scs and of a keyed hash.
	storageKeyBytes = 43
)

// reservedName begins the keys of records that are no sessions. It has one separator, which is not escaped.
var reservedName = strings.TrimSuffix(storage.ReservedPrefix, ":")

// isSeparator reports whether no storage key has this character as it is. Characters beyond ASCII are none.
func isSeparator(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == escapeByte:
		return false
	default:
		return r < utf8.RuneSelf
	}
}

// isEscaped reports whether storage keys have this character in another form.
func isEscaped(r rune) bool { return r == escapeByte || isSeparator(r) }

// checkEnds reports a prefix or a suffix after which it could not be told what is a key of this layout, and what of
// another.
func (k Key) checkEnds(field string, problem func(format string, args ...any)) {
	const why = "; else its sessions cannot be told from those of another prefix or suffix that begins alike"
	if n := len(k.Prefix); n > 0 && !isSeparator(rune(k.Prefix[n-1])) {
		problem("%s: the prefix %q must end with a character that no session's key has, as in %q"+why,
			field, k.Prefix, k.Prefix+":")
	}
	if k.Suffix != "" && !isSeparator(rune(k.Suffix[0])) {
		problem("%s: the suffix %q must begin with a character that no session's key has, as in %q"+why,
			field, k.Suffix, ":"+k.Suffix)
	}
	for _, affix := range []string{k.Prefix, k.Suffix} {
		for part := range strings.FieldsFuncSeq(affix, isSeparator) {
			switch {
			case part == reservedName:
				problem("%s: %q in prefix or suffix is what the records of collectors begin with; write another name", field, part)
			case len(part) == storageKeyBytes:
				problem("%s: %q in prefix or suffix is as long as the key of a session, and could be taken for one; make "+
					"it shorter or longer", field, part)
			}
		}
	}
}

// value returns the value of the key attribute for a storage key.
func (k Key) value(key string) string { return k.Prefix + escape(key) + k.Suffix }

// cut returns the storage key in the value of the key attribute, if this layout has made it.
func (k Key) cut(value string) (key string, ok bool) {
	key, hasPrefix := strings.CutPrefix(value, k.Prefix)
	key, hasSuffix := strings.CutSuffix(key, k.Suffix)
	if !hasPrefix || !hasSuffix || key == "" {
		return "", false
	}
	return unescape(key)
}

// escape returns a storage key without separators.
func escape(key string) string {
	begin := 0
	if storage.Reserved(key) {
		begin = min(len(storage.ReservedPrefix), len(key))
	}
	if !strings.ContainsFunc(key[begin:], isEscaped) {
		return key
	}
	escaped := []byte(key[:begin])
	for _, b := range []byte(key[begin:]) {
		if isEscaped(rune(b)) {
			escaped = append(escaped, escapeByte, hexDigits[b>>4], hexDigits[b&0xf])
		} else {
			escaped = append(escaped, b)
		}
	}
	return string(escaped)
}

// unescape returns the storage key that escape has made escaped of, if it has.
func unescape(escaped string) (key string, ok bool) {
	if strings.IndexByte(escaped, escapeByte) < 0 {
		return escaped, escape(escaped) == escaped
	}
	var plain []byte
	for i := 0; i < len(escaped); i++ {
		b := escaped[i]
		if b == escapeByte && i+2 < len(escaped) {
			high, low := strings.IndexByte(hexDigits, escaped[i+1]), strings.IndexByte(hexDigits, escaped[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			b, i = byte(high<<4|low), i+2 //nolint:gosec // two digits
		}
		plain = append(plain, b)
	}
	key = string(plain)
	return key, escape(key) == escaped // there is one form of each key
}

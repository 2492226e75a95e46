package drivertest

import (
	"errors"
	"strings"

	"github.com/scsdynamo/scsdynamo/storage"
)

// invalidKeys are keys that no driver can hold.
func invalidKeys() map[string]string {
	return map[string]string{
		"empty":                    "",
		"with NUL":                 "before\x00after",
		"only NUL":                 "\x00",
		"invalid UTF-8":            "invalid \xff\xfe",
		"UTF-8 cut short":          "cut short \xe2\x82",
		"too long, of 3,000 bytes": strings.Repeat("k", 3000),
	}
}

// keyCases are about keys.
func keyCases() []testCase {
	return []testCase{
		{
			id: "D-KEY-01", name: "InvalidKeyIsNotFound",
			rule: "A key that the driver can never hold is not found, and deleting it is success.",
			run: func(p *probe) {
				for kind, key := range invalidKeys() {
					_, found, err := p.tryGet(p.ctx, key, storage.Strong)
					if found || err != nil {
						p.Fatalf("Get of a key that is %s: found %v, error %v", kind, found, err)
					}
					for _, condition := range conditionsOf(p, p.record("any")) {
						if err := p.tryDelete(p.ctx, key, condition); err != nil {
							p.Fatalf("Delete of a key that is %s, if %s: %v", kind, condition, err)
						}
					}
				}
			},
		},
		{
			id: "D-KEY-02", name: "InvalidKeyIsNotStored",
			rule: "Put under a key that the driver can never hold is ErrInvalidKey.",
			run: func(p *probe) {
				for kind, key := range invalidKeys() {
					for _, condition := range []storage.Condition{storage.Always(), storage.IfAbsent(p.now)} {
						if err := p.tryPut(p.ctx, p.record(key), condition); !errors.Is(err, storage.ErrInvalidKey) {
							p.Fatalf("Put under a key that is %s: %v", kind, err)
						}
					}
				}
			},
		},
		{
			id: "D-KEY-03", name: "InvalidKeyIsNotUpdated",
			rule: "Update under a key that the driver can never hold is a conflict without a record.",
			run: func(p *probe) {
				for _, key := range invalidKeys() {
					for _, condition := range conditionsOf(p, p.record("any")) {
						p.conflict(p.tryUpdate(p.ctx, key, storage.Change{ExpiresAt: p.later()}, condition), nil)
					}
				}
			},
		},
		{
			id: "D-KEY-09", name: "InvalidKeyIsNotAcquired", needs: needsLeaser,
			rule: "Acquire under a key that the driver can never hold is a conflict without a record.",
			run: func(p *probe) {
				for _, key := range invalidKeys() {
					for _, condition := range conditionsOf(p, p.record("any")) {
						_, err := p.tryAcquire(p.ctx, key, p.lease(), condition)
						p.conflict(err, nil)
					}
				}
			},
		},
		{
			id: "D-KEY-07", name: "PutNeedsAVersion",
			rule: "A record without a version is not stored: it could not be told from another later.",
			run: func(p *probe) {
				stored := p.stored()
				without := p.record(stored.Key)
				without.Version = ""
				fresh := p.record(p.key())
				fresh.Version = ""
				for _, r := range []storage.Record{without, fresh} {
					if err := p.tryPut(p.ctx, r, storage.Always()); err == nil {
						p.Fatalf("Put of a record without a version returned nil")
					}
				}
				p.holds(stored)
				p.absent(fresh.Key)
			},
		},
		{
			id: "D-KEY-05", name: "KeysAreExact",
			rule: "Keys are compared byte by byte: another case, a blank more, a prefix, a suffix or another form of an " +
				"accent is another key.",
			run: func(p *probe) {
				base := p.key() + "Kéy" // é in one code point.
				others := []string{
					strings.ToLower(base), strings.ToUpper(base), base + " ", " " + base, base + "\n", base[:len(base)-1], base[1:],
					base + base, strings.Replace(base, "é", "e\u0301", 1), strings.Replace(base, "é", "e", 1),
				}
				r := p.record(base)
				p.put(r, storage.Always())
				for _, other := range others {
					p.absent(other)
					p.conflict(p.tryUpdate(p.ctx, other, storage.Change{ExpiresAt: p.later()}, storage.Always()), nil)
					p.delete(other, storage.Always())
				}
				p.holds(r)
				records := []storage.Record{r}
				for _, other := range others {
					r := p.record(other)
					p.put(r, storage.IfAbsent(p.now))
					records = append(records, r)
				}
				for _, r := range records {
					p.holds(r)
				}
				p.delete(base, storage.Always())
				for _, r := range records[1:] {
					p.holds(r)
				}
			},
		},
		{
			id: "D-KEY-06", name: "OddKeys",
			rule: "Any valid UTF-8 without NUL is a key, whatever it means elsewhere: paths, wildcards, quotes, expressions, " +
				"control characters.",
			run: func(p *probe) {
				unique := p.key()
				var records []storage.Record
				for _, odd := range []string{
					"/a/b", "../..", ".", "*", "?", "%", "_", "[a-z]", "{x}", "'", `"`, "`", `\`, ";--", "' OR 1=1", "$where", "#name", ":value",
					"__x__", "%2f", "%00", "a:b", "a#b", "a|b", "a,b", "a&b=c", "<x>", "\t",
					"\r\n", "\x01", "\x7f", "é", "日本", "😀", "\u202e", "\uffff",
					"null", "0",
				} {
					r := p.record(odd + unique + odd)
					p.put(r, storage.IfAbsent(p.now))
					records = append(records, r)
				}
				for i, r := range records {
					p.holds(r)
					r.ExpiresAt = p.later()
					p.update(r.Key, storage.Change{ExpiresAt: r.ExpiresAt}, storage.IfVersion(r.Version, p.now))
					p.holds(r)
					records[i] = r
				}
				if scans(p.ctx, p.driver) {
					p.scanOwn(storage.ScanRequest{Limit: 5}, records...)
				}
				for _, r := range records {
					p.delete(r.Key, storage.IfVersion(r.Version, p.now))
					p.absent(r.Key)
				}
			},
		},
	}
}

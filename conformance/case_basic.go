package conformance

import (
	"bytes"
	"slices"
	"strings"
)

func basicCases() []testCase {
	return []testCase{
		{
			id: "B01", name: "CommitThenFind",
			rule: "what was committed is found",
			run: func(c *check) {
				token, data := c.token(), random(100)
				c.store.commit(token, data, later())
				c.store.wantData(token, data)
				c.store.wantData(token, data) // Finding does not use it up.
			},
		},
		{
			id: "B02", name: "UnknownTokenMisses",
			rule: "an unknown token is not found, without an error",
			run:  func(c *check) { c.store.wantMiss(c.token()) },
		},
		{
			id: "B03", name: "OverwriteReplaces",
			rule: "a commit replaces the data of the commit before it",
			run: func(c *check) {
				token := c.token()
				for range 3 {
					data := random(100)
					c.store.commit(token, data, later())
					c.store.wantData(token, data)
				}
			},
		},
		{
			id: "B04", name: "ShorterDataLeavesNoTail",
			rule: "shorter data replaces longer data completely",
			run: func(c *check) {
				token := c.token()
				for _, size := range []int{5000, 50, 1} {
					data := random(size)
					c.store.commit(token, data, later())
					c.store.wantData(token, data)
				}
			},
		},
		{
			id: "B05", name: "DeleteRemoves",
			rule: "a deleted session is not found",
			run: func(c *check) {
				token := c.token()
				c.store.commit(token, random(100), later())
				c.store.delete(token)
				c.store.wantMiss(token)
			},
		},
		{
			id: "B06", name: "DeleteOfMissingToken",
			rule: "deleting a token that does not exist is not an error",
			run: func(c *check) {
				token := c.token()
				c.store.delete(token)
				c.store.wantMiss(token)
			},
		},
		{
			id: "B07", name: "DeleteTwice",
			rule:    "deleting a session again is not an error",
			restsOn: []string{"B06"},
			run: func(c *check) {
				token := c.token()
				c.store.commit(token, random(100), later())
				c.store.delete(token)
				c.store.delete(token)
				c.store.wantMiss(token)
			},
		},
		{
			id: "B08", name: "FindEmptyToken",
			rule: "the empty token is not found, without an error: MergeSession looks for it",
			run:  func(c *check) { c.store.wantMiss("") },
		},
		{
			id: "B09", name: "DeleteEmptyToken",
			rule:    "deleting the empty token is not an error: Destroy does it with a session that was never saved",
			restsOn: []string{"B06"},
			run: func(c *check) {
				token, data := c.token(), random(100)
				c.store.commit(token, data, later())
				c.store.delete("")
				c.store.wantData(token, data)
			},
		},
		{
			id: "B10", name: "DeleteTouchesOnlyItsToken",
			rule: "a deletion removes no other session",
			run: func(c *check) {
				token, other, data := c.token(), c.token(), random(100)
				c.Alias(token, "A")
				c.store.commit(token, random(100), later())
				c.store.commit(other, data, later())
				kept := []string{other}
				// Tokens of scs have 43 letters. A store need not hold others; one that does has to tell them apart.
				for _, like := range []string{
					c.Alias(token+"x", "A with a letter more"), c.Alias(token[:42], "A without its last letter"),
				} {
					if c.store.tryCommit(c.ctx, like, data, later()) != nil {
						continue
					}
					if _, found := c.store.find(like); found {
						kept = append(kept, like)
					}
				}
				c.store.delete(token)
				c.store.wantMiss(token)
				for _, token := range kept {
					c.store.wantData(token, data)
				}
			},
		},
		{
			id: "B11", name: "CaseSensitiveTokens",
			rule: "tokens that differ in case only are different tokens",
			run: func(c *check) {
				token := c.Alias("aZ"+c.token()[2:], "A")
				swapped := c.Alias("Az"+token[2:], "A in other case")
				data := random(100)
				c.store.commit(token, data, later())
				for _, other := range []string{swapped, strings.ToLower(token), strings.ToUpper(token)} {
					c.Alias(other, "A in other case")
					c.store.wantMiss(other)
				}
				c.store.commit(swapped, random(100), later())
				c.store.wantData(token, data)
				c.store.delete(swapped)
				c.store.wantData(token, data)
			},
		},
		{
			id: "B13", name: "PartOfTokenMisses",
			rule: "a token is found as a whole only, neither by a part of it nor with something added",
			run: func(c *check) {
				token := c.Alias(c.token(), "A")
				c.store.commit(token, random(100), later())
				c.store.wantMiss(c.Alias(token[:1], "the first letter of A"))
				c.store.wantMiss(c.Alias(token[:42], "A without its last letter"))
				c.store.wantMiss(c.Alias(token[1:], "A without its first letter"))
				c.store.wantMiss(c.Alias(token[10:30], "the middle of A"))
				c.store.wantMiss(c.Alias(token+"A", "A with a letter after it"))
				c.store.wantMiss(c.Alias("A"+token, "A with a letter before it"))
				c.store.wantMiss(c.Alias(token+"=", "A with base64 padding"))
				c.store.wantMiss(c.Alias(token+token, "A twice"))
			},
		},
		{
			id: "B14", name: "OddTokensMiss",
			rule: "a token that is odd but printable is not found, without an error: anybody can send one",
			run: func(c *check) {
				token, data := c.token(), random(100)
				c.store.commit(token, data, later())
				for _, odd := range oddTokens(token) {
					c.store.wantMiss(odd)
				}
				c.store.wantData(token, data)
			},
		},
		{
			id: "B15", name: "BinaryTokensMiss",
			rule: "a token with NUL, control characters or invalid UTF-8 is not found, without an error",
			run: func(c *check) {
				token, data := c.Alias(c.token(), "A"), random(100)
				c.store.commit(token, data, later())
				for _, odd := range binaryTokens(token) {
					c.store.wantMiss(c.Alias(odd.token, odd.name))
				}
				c.store.wantData(token, data)
			},
		},
		{
			id: "B16", name: "LongTokensMiss",
			rule: "a token of any length is not found, without an error",
			run: func(c *check) {
				token := c.Alias(c.token(), "A")
				c.store.commit(token, random(100), later())
				c.store.wantMiss(c.Alias(strings.Repeat("x", 256), "256 letters"))
				c.store.wantMiss(c.Alias(strings.Repeat("x", 2049), "2,049 letters"))
				c.store.wantMiss(c.Alias(strings.Repeat("x", 4<<10), "4 KB"))
				c.store.wantMiss(c.Alias(token+strings.Repeat("x", 4<<10), "A and 4 KB"))
				c.store.wantMiss(c.Alias(strings.Repeat("x", 100<<10), "100 KB"))
			},
		},
		{
			id: "B17", name: "PeerSeesChanges",
			rule:  "a second instance on the same backend sees each commit and delete at once",
			needs: []need{needPeer},
			run: func(c *check) {
				peer := c.called("peer", c.opts.peer(c.t, c.store.store))
				token, data := c.token(), random(100)
				c.store.commit(token, data, later())
				peer.wantData(token, data)
				for _, pair := range [][2]*caller{{c.store, peer}, {peer, c.store}} {
					data := random(80)
					pair[0].commit(token, data, later())
					pair[1].wantData(token, data)
				}
				c.store.delete(token)
				peer.wantMiss(token)
				c.store.commit(token, data, later())
				peer.wantData(token, data)
				peer.delete(token)
				c.store.wantMiss(token)
			},
		},
		{
			id: "B18", name: "NamespacesAreApart",
			rule:  "two namespaces on one backend never see or change each other's sessions",
			needs: []need{needNamespaces},
			run: func(c *check) {
				suffix := namespaceSuffix()
				a, b := c.namespaces("one"+suffix, "two"+suffix)
				token, data := c.token(), random(100)
				a.commit(token, data, later())
				b.wantMiss(token)
				_ = b.tryDelete(c.ctx, token) // Whether that is an error is B06.
				a.wantData(token, data)
				b.commit(token, random(90), later())
				a.wantData(token, data)
				b.delete(token)
				a.wantData(token, data)
				if b.iterable() && c.canIterate() {
					a.wantInAll(a.all(), token, data)
					b.wantNotInAll(b.all(), token)
				}
			},
		},
		{
			id: "B19", name: "WhiteSpaceCounts",
			rule: "white space around a token makes another token",
			run: func(c *check) {
				token := c.Alias(c.token(), "A")
				c.store.commit(token, random(100), later())
				for _, space := range []string{" ", "\t", "\n", "\r\n", "   ", "\u00a0"} {
					c.store.wantMiss(c.Alias(token+space, "A and white space"))
					c.store.wantMiss(c.Alias(space+token, "white space and A"))
				}
			},
		},
		{
			id: "B20", name: "CommitAfterDelete",
			rule: "a commit after a deletion stores the session anew, and nothing of the old one comes back",
			run: func(c *check) {
				token := c.token()
				c.store.commit(token, random(500), later())
				c.store.delete(token)
				data := random(50)
				c.store.commit(token, data, later())
				c.store.wantData(token, data)
				c.store.delete(token)
				c.store.wantMiss(token)
			},
		},
		{
			id: "B21", name: "DeleteOddTokens",
			rule: "deleting a malformed token removes no session",
			run: func(c *check) {
				token, data := c.Alias(c.token(), "A"), random(100)
				c.store.commit(token, data, later())
				odd := append(oddTokens(token), strings.Repeat("x", 4<<10), token[:20], token[:20]+"*", token[:20]+"%")
				// Whether it is an error does not matter: scs deletes only what it has found, and the empty token.
				for _, o := range odd {
					_ = c.store.tryDelete(c.ctx, o)
				}
				for _, o := range binaryTokens(token) {
					_ = c.store.tryDelete(c.ctx, c.Alias(o.token, o.name))
				}
				c.store.wantData(token, data)
			},
		},
		{
			id: "B22", name: "LookalikesMiss",
			rule: "a token that only looks like another one, or sorts like it, is a different token",
			run: func(c *check) {
				token := c.Alias("ak"+c.token()[2:], "A")
				c.store.commit(token, random(100), later())
				c.store.wantMiss(c.Alias("á"+token[1:], "A with an accent"))
				c.store.wantMiss(c.Alias("a\u0301"+token[1:], "A with a combining accent"))
				c.store.wantMiss(c.Alias("ａ"+token[1:], "A with a full-width letter"))
				c.store.wantMiss(c.Alias("a\u212a"+token[2:], "A with the Kelvin sign for a k"))
				c.store.wantMiss(c.Alias(token+"\u200b", "A with a zero-width space"))
				c.store.wantMiss(c.Alias("\ufeff"+token, "A with a byte order mark"))
			},
		},
		{
			id: "B23", name: "ForeignKeysMiss",
			rule:  "what others keep in the same backend is not found as a session: anybody can send its key as a token",
			needs: []need{needForeignData},
			run: func(c *check) {
				c.fill(5, 100)
				for _, key := range c.opts.foreignData(c.t, c.store.store) {
					if _, found, err := c.store.tryFind(c.ctx, c.Alias(key, "a foreign key")); found && err == nil {
						c.Fatalf("a record that the store did not write was found as a session")
					}
				}
			},
		},
		{
			id: "B24", name: "PeerCommitsAfterDelete",
			rule:  "what one instance has deleted, or not found, is found by it once a second one has committed it",
			needs: []need{needPeer}, restsOn: []string{"B17"},
			run: func(c *check) {
				peer := c.called("peer", c.opts.peer(c.t, c.store.store))
				for _, pair := range [][2]*caller{{c.store, peer}, {peer, c.store}} {
					one, other := pair[0], pair[1]
					token, data := c.token(), random(100)
					one.commit(token, random(80), later())
					one.delete(token)
					one.wantMiss(token)
					other.commit(token, data, later())
					one.wantData(token, data)
					unknown := c.token()
					one.wantMiss(unknown)
					other.commit(unknown, data, later())
					one.wantData(unknown, data)
				}
			},
		},
	}
}

// oddTokens returns printable tokens that mean something to one system or another. live is the token of a session that
// some of them would match as a pattern.
func oddTokens(live string) []string {
	return []string{
		"/", "//", ".", "..", "../..", "a/b", "/etc/passwd", `C:\`, "~", "*", "?", "[a-z]", "%", "_", "#", "&", "|", ";", "-",
		"--", "'", `"`, "`", "' OR '1'='1", `" OR 1=1 --`, "'; DROP TABLE sessions; --", "\\", "__x__", "__proto__",
		"%2f", "%00", "%s%n", "$where", "$ne", `{"$gt":""}`, "${x}", "{{x}}", "<script>", "null", "undefined", "true", "0", "-1",
		"1e309", "NaN", "a b", "é", "日本語", "😀", "a:b", "a,b", "a=b", "session:", ".*", "^", "(", strings.Repeat("*", 43),
		strings.Repeat("_", 43),
		live[:42] + "*", live[:42] + "?", live[:42] + "_", live[:42] + "%", live + "/", live + "/..", "./" + live, live + ":",
		live + "' OR '1'='1", live + "\\",
	}
}

// namedToken is a token that is better not printed.
type namedToken struct{ name, token string }

func binaryTokens(live string) []namedToken {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return []namedToken{
		{"a NUL", "\x00"},
		{"A, then a NUL", live + "\x00"},
		{"A, a NUL and more", live + "\x00x"},
		{"a NUL before A", "\x00" + live},
		{"a letter between NULs", "\x00a\x00"},
		{"a byte that is not UTF-8", "\xff"},
		{"A, then a byte that is not UTF-8", live + "\xff"},
		{"half a character", live[:40] + "\xe2\x82"},
		{"a surrogate", "\xed\xa0\x80"},
		{"an overlong slash", "\xc0\xaf"},
		{"control characters", "\x01\x1b[31m\x7f"},
		{"a line break", "a\r\nSet-Cookie: a=b"},
		{"all byte values", string(all)},
		{"43 bytes without ASCII", string(bytes.Repeat([]byte{0xfe}, 43))},
	}
}

// namespaceSuffix makes namespaces this case's own, also where stores share a backend, or letter case does not count.
func namespaceSuffix() string { return strings.ToLower(newToken()[:8]) + ":" }

// namespaces opens two stores that are kept apart by these names.
func (c *check) namespaces(first, second string) (*caller, *caller) {
	a, b := c.opts.namespaces(c.t, first, second)
	return c.called("first", a), c.called("second", b)
}

// isIn reports whether the data is one of these.
func isIn(data []byte, options [][]byte) bool {
	return slices.ContainsFunc(options, func(o []byte) bool { return bytes.Equal(o, data) })
}

package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

func dataCases() []testCase {
	return []testCase{
		{
			id: "D01", name: "AllByteValues",
			rule: "data may hold any byte",
			run: func(c *check) {
				data := make([]byte, 0, 512)
				for i := range 256 {
					data = append(data, byte(i))
				}
				for i := range 256 {
					data = append(data, byte(255-i))
				}
				c.wantKept(data)
			},
		},
		{
			id: "D02", name: "GobPayload",
			rule: "what scs encodes can be decoded again",
			run: func(c *check) {
				token, codec := c.token(), scs.GobCodec{}
				deadline := time.Now().Add(time.Hour).UTC()
				values := map[string]any{"user": "jane", "id": 7, "admin": true, "bytes": []byte{0, 1, 255}, "ratio": 0.5}
				data, err := codec.Encode(deadline, values)
				if err != nil {
					c.Fatalf("encoding failed: %v", err)
				}
				c.store.commit(token, data, deadline)
				found, _ := c.store.find(token)
				gotDeadline, got, err := codec.Decode(found)
				if err != nil {
					c.Fatalf("decoding failed: %v", err)
				}
				same := func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
				if !gotDeadline.Equal(deadline) || !maps.EqualFunc(got, values, same) {
					c.Fatalf("the decoded session is another one")
				}
			},
		},
		{
			id: "D03", name: "EmptyData",
			rule: "a session with empty data is found",
			run: func(c *check) {
				token := c.token()
				c.store.commit(token, []byte{}, later())
				c.store.wantData(token, nil)
				c.store.commit(token, random(10), later())
				c.store.commit(token, []byte{}, later())
				c.store.wantData(token, nil)
			},
		},
		{
			id: "D05", name: "SixtyKilobytes",
			rule: "60 KB of data are kept",
			run:  func(c *check) { c.wantKeptSize(60 << 10) },
		},
		{
			id: "D15", name: "OverSixtyFourKilobytes",
			rule: "66 KB of data, more than the 65,535 bytes of the classic column, are kept or refused with an error, never " +
				"cut",
			run: func(c *check) {
				token, before, large := c.token(), random(100), random(66<<10)
				c.store.commit(token, before, later())
				if err := c.store.tryCommit(c.ctx, token, bytes.Clone(large), later()); err == nil {
					before = large
				}
				c.store.wantData(token, before)
			},
		},
		{
			id: "D06", name: "ThreeHundredKilobytes",
			rule: "300 KB of data are kept",
			run:  func(c *check) { c.wantKeptSize(300 << 10) },
		},
		{
			id: "D07", name: "TooLargeIsRefused",
			rule:  "data over the limit is refused with an error or kept whole; it is never cut, and the session before stays",
			needs: []need{needMaxData},
			run: func(c *check) {
				for _, size := range []int{c.opts.maxData + 1, c.opts.maxData + 64<<10, 2 * c.opts.maxData} {
					token, before, large := c.token(), random(100), random(size)
					c.store.commit(token, before, later())
					want := before
					if err := c.store.tryCommit(c.ctx, token, large, later()); err == nil {
						want = large
					}
					c.store.wantData(token, want)
					// The session is not stuck: it can be made smaller again.
					smaller := random(50)
					c.store.commit(token, smaller, later())
					c.store.wantData(token, smaller)

					fresh := c.token()
					if err := c.store.tryCommit(c.ctx, fresh, large, later()); err == nil {
						c.store.wantData(fresh, large)
					} else {
						c.store.wantMiss(fresh)
					}
				}
			},
		},
		{
			id: "D08", name: "CommittedSliceIsTheCallers",
			rule: "the caller may change its slice after a commit",
			run: func(c *check) {
				token, data := c.token(), random(100)
				mine := bytes.Clone(data)
				c.store.commit(token, mine, later())
				clear(mine)
				c.store.wantData(token, data)
			},
		},
		{
			id: "D09", name: "FoundSliceIsTheCallers",
			rule: "the caller may change a slice that it found",
			run: func(c *check) {
				c.fill(50, 100) // A backend that maps a file may hand out copies while it holds little.
				token, data := c.token(), random(100)
				c.store.commit(token, bytes.Clone(data), later())
				found, _ := c.store.find(token)
				clear(found[:cap(found)]) // What lies behind its end, too.
				c.store.wantData(token, data)
			},
		},
		{
			id: "D10", name: "NilData",
			rule: "nil data is empty data, or refused with an error: what scs encodes is never nil",
			run: func(c *check) {
				fresh, token, before := c.token(), c.token(), random(100)
				if err := c.store.tryCommit(c.ctx, fresh, nil, later()); err == nil {
					c.store.wantData(fresh, nil)
				} else {
					c.store.wantMiss(fresh)
				}
				c.store.commit(token, before, later())
				if err := c.store.tryCommit(c.ctx, token, nil, later()); err == nil {
					before = nil
				}
				c.store.wantData(token, before)
			},
		},
		{
			id: "D11", name: "LargestData",
			rule:  "the largest payload that was declared is kept",
			needs: []need{needMaxData},
			run:   func(c *check) { c.wantKeptSize(c.opts.maxData) },
		},
		{
			id: "D12", name: "DataIsNotText",
			rule: "data is kept as it is: nothing is trimmed, converted or escaped",
			run: func(c *check) {
				for _, data := range []string{
					"\x00", "\x00\x00\x00", "a\x00", "\x00a", strings.Repeat("\x00", 1000), " ", "  a  ", "a\n", "a\r\n",
					"\ufeffa", "\xff\xfe",
					"\xc3", "null", "{}", "0", "'", `\`, `\x00`, "%00", "é", "e\u0301", "YWJj", "=", "\x1f\x8b\x08\x00", "0x00",
				} {
					c.wantKept([]byte(data))
				}
			},
		},
		{
			id: "D13", name: "ManySizes",
			rule: "data of any size up to a few pages is kept",
			run: func(c *check) {
				sizes := []int{
					1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 255, 256, 257, 511, 1023, 1024, 1025, 4095, 4096, 4097, 8191, 8192, 16384,
				}
				sizes = slices.DeleteFunc(sizes, func(n int) bool { return c.opts.maxData > 0 && n > c.opts.maxData })
				c.Each(len(sizes), 4, func(i int) { c.wantKept(random(sizes[i])) })
			},
		},
		{
			id: "D14", name: "ReadDataStays",
			rule: "data that was found, or shown by an iteration, stays as it is, whatever happens in the store afterwards",
			run: func(c *check) {
				sessions := c.fill(40, 300)
				tokens := slices.Collect(maps.Keys(sessions))
				found := make(map[string][]byte, len(tokens))
				for _, token := range tokens {
					found[token], _ = c.store.find(token)
				}
				var shown map[string][]byte
				if c.canIterate() {
					shown = c.store.all()
				}
				// What takes the place of the old data is longer for some sessions, and shorter for others.
				c.Each(len(tokens), 8, func(i int) { c.store.commit(tokens[i], random(200+10*i), later()) })
				c.Each(len(tokens), 8, func(i int) { c.store.delete(tokens[i]) })
				for token, data := range sessions {
					if got := found[token]; !bytes.Equal(got, data) {
						c.Fatalf("what was found under %s is no longer what it was: %s", c.NameOf(token), difference(got, data))
					}
					if got := shown[token]; shown != nil && !bytes.Equal(got, data) {
						c.Fatalf("what the iteration has shown of %s is no longer what it was: %s",
							c.NameOf(token), difference(got, data))
					}
				}
			},
		},
	}
}

// wantKept expects the data to be found as it was committed.
func (c *check) wantKept(data []byte) {
	token := c.token()
	c.store.commit(token, bytes.Clone(data), later())
	c.store.wantData(token, data)
}

// wantKeptSize expects so much data to be kept, unless the store has declared that it cannot.
func (c *check) wantKeptSize(n int) {
	if c.opts.maxData > 0 && n > c.opts.maxData {
		c.Skip(fmt.Sprintf("%d bytes are more than WithMaxData declares", n))
	}
	c.wantKept(random(n))
	// Bytes that compress and escape badly or well, so that only their number counts.
	c.wantKept(make([]byte, n))
}

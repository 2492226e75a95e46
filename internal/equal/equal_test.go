package equal_test

import (
	"bytes"
	"encoding/gob"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/quick"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/equal"
)

type cycle struct {
	Next  *cycle
	Price float64
}

type inner struct {
	prices map[string][]float64 // unexported, as in time.Time
	any    any
}

// list returns a cycle of so many nodes with a price in the last one.
func list(nodes int, price float64) *cycle {
	first := &cycle{}
	last := first
	for range nodes - 1 {
		last.Next = &cycle{}
		last = last.Next
	}
	last.Next, last.Price = first, price
	return first
}

// Each value equals itself and a copy of it, and none of the values that follow it.
func TestValues(t *testing.T) {
	t.Parallel()
	nan, other := math.NaN(), math.Float64frombits(math.Float64bits(math.NaN())^1)
	if other == other {
		t.Fatal("no NaN")
	}
	self := map[string]any{}
	self["self"] = self
	selfToo := map[string]any{}
	selfToo["self"] = selfToo
	loop := []any{nil}
	loop[0] = loop
	loopToo := []any{nil}
	loopToo[0] = loopToo
	f, channel := func() {}, make(chan int)
	number, numberToo := 1.5, 1.5
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.FixedZone("a", 3600))
	noonToo := time.Date(2026, 1, 1, 12, 0, 0, 0, time.FixedZone("a", 3600))
	kinds := [][2]any{
		{nil, nil},
		{1, 1},
		{int64(1), int64(1)},
		{1.0, 1.0},
		{nan, other},
		{float32(math.NaN()), float32(math.NaN())},
		{complex(nan, 1), complex(other, 1)},
		{complex(1, nan), complex(1, nan)},
		{"1", "1"},
		{true, true},
		{&number, &numberToo},
		{&nan, &other},
		{[]float64{1, nan}, []float64{1, other}},
		{[]float64{nan, 1}, []float64{nan, 1}},
		{[]float64(nil), []float64(nil)},
		{[]float64{}, []float64{}},
		{[2]float64{nan, 1}, [2]float64{nan, 1}},
		{[]any{nan, "a"}, []any{nan, "a"}},
		{map[string]float64{"a": nan}, map[string]float64{"a": nan}},
		{map[string]float64{"b": nan}, map[string]float64{"b": nan}},
		{map[string]float64(nil), map[string]float64(nil)},
		{map[string]float64{}, map[string]float64{}},
		{map[float64]string{nan: "a", other: "b", 1: "c"}, map[float64]string{nan: "b", 1: "c", other: "a"}},
		{map[float64]string{nan: "a", other: "a", 1: "c"}, map[float64]string{nan: "a", 1: "c", other: "a"}},
		{map[any]any{nan: map[float64]int{nan: 1}}, map[any]any{nan: map[float64]int{nan: 1}}},
		{map[any]any{nan: map[float64]int{nan: 2}}, map[any]any{nan: map[float64]int{nan: 2}}},
		{
			inner{prices: map[string][]float64{"a": {nan}}, any: nan},
			inner{prices: map[string][]float64{"a": {nan}}, any: other},
		},
		{inner{prices: map[string][]float64{"a": {1}}, any: nan}, inner{prices: map[string][]float64{"a": {1}}, any: other}},
		{&inner{any: &inner{any: nan}}, &inner{any: &inner{any: nan}}},
		{list(3, nan), list(3, nan)},
		{list(3, 2), list(3, 2)},
		{self, selfToo},
		{loop, loopToo},
		{f, f},
		{(func())(nil), (func())(nil)},
		{channel, channel},
		{noon, noonToo},
		{noon.Add(1), noonToo.Add(1)},
	}
	for i, a := range kinds {
		if !equal.Values(a[0], a[0]) || !equal.Values(a[0], a[1]) || !equal.Values(a[1], a[0]) {
			t.Errorf("%d: %#v does not equal its copy", i, a[0])
		}
		for j, b := range kinds[i+1:] {
			if equal.Values(a[0], b[0]) || equal.Values(b[0], a[0]) {
				t.Errorf("%d and %d: %#v equals %#v", i, i+1+j, a[0], b[0])
			}
		}
	}
	if equal.Values(func() {}, func() {}) {
		t.Error("two functions are the same")
	}
}

// A failed comparison of one entry must not make a later one succeed.
func TestValuesOfKeysThatAreNotFound(t *testing.T) {
	t.Parallel()
	one, two := &cycle{Price: 1}, &cycle{Price: 2}
	a := map[float64][]*cycle{math.NaN(): {one, one}}
	b := map[float64][]*cycle{math.NaN(): {two, two}}
	if equal.Values(a, b) {
		t.Error("different values are the same")
	}
	if equal.Values(map[float64]*cycle{math.NaN(): one, math.Inf(1): one},
		map[float64]*cycle{math.NaN(): two, math.Inf(1): one}) {
		t.Error("different values are the same")
	}
}

// Without NaN, it is reflect.DeepEqual.
func TestValuesIsDeepEqual(t *testing.T) {
	t.Parallel()
	type node struct {
		A int8
		B []string
		C map[string]*int
		D *node
		E [2]uint16
		F bool
	}
	property := func(a, b node, change bool) bool {
		if change {
			b = a
			b.E[rand.IntN(2)] ^= uint16(rand.IntN(2))
		}
		return equal.Values(a, b) == reflect.DeepEqual(a, b) && equal.Values(a, a)
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
}

// What a codec makes of the same bytes twice is the same.
func TestValuesAfterACodec(t *testing.T) {
	t.Parallel()
	gob.Register(map[float64]int{})
	gob.Register([]float64{})
	gob.Register(time.Time{})
	values := map[string]any{
		"price": math.NaN(), "prices": []float64{math.NaN(), 1}, "by price": map[float64]int{math.NaN(): 1},
		"time": time.Now(), "elsewhere": time.Now().In(time.FixedZone("there", 1800)),
	}
	var stored bytes.Buffer
	if err := gob.NewEncoder(&stored).Encode(values); err != nil {
		t.Fatal(err)
	}
	decode := func() (decoded map[string]any) {
		if err := gob.NewDecoder(bytes.NewReader(stored.Bytes())).Decode(&decoded); err != nil {
			t.Fatal(err)
		}
		return decoded
	}
	if !equal.Values(decode(), decode()) {
		t.Error("the same bytes are two different values")
	}
}

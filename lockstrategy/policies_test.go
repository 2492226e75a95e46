package lockstrategy_test

import (
	"errors"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/quick"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

func some(v any) lockstrategy.Value { return lockstrategy.Value{Value: v, Present: true} }

var none lockstrategy.Value

type (
	visits  int16
	tags    []string
	marks   map[string]bool
	element struct{ Name string }
)

func TestPolicies(t *testing.T) {
	t.Parallel()
	type v = lockstrategy.Value
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	later := noon.Add(time.Hour).In(time.FixedZone("there", -7200))
	perKey := lockstrategy.PerKey(map[string]lockstrategy.SameKey{"key": lockstrategy.Sum})
	otherKey := lockstrategy.PerKey(map[string]lockstrategy.SameKey{"another": lockstrategy.Sum, "key": nil})
	for name, test := range map[string]struct {
		policy                   lockstrategy.SameKey
		base, ours, theirs, want v
	}{
		"sum of int": {lockstrategy.Sum, some(1), some(3), some(2), some(4)},
		"sum of a named type": {
			lockstrategy.Sum, some(visits(1)), some(visits(3)), some(visits(2)),
			some(visits(4)),
		},
		"sum of durations": {
			lockstrategy.Sum, some(time.Second), some(3 * time.Second), some(2 * time.Second),
			some(4 * time.Second),
		},
		"sum of uint8": {lockstrategy.Sum, some(uint8(10)), some(uint8(5)), some(uint8(9)), some(uint8(4))},
		"sum of uint64": {
			lockstrategy.Sum, some(uint64(math.MaxUint64 - 2)), some(uint64(math.MaxUint64)),
			some(uint64(math.MaxUint64 - 2)), some(uint64(math.MaxUint64)),
		},
		"sum of float32": {
			lockstrategy.Sum, some(float32(1)), some(float32(1.5)), some(float32(0.5)),
			some(float32(1)),
		},
		"sum where there was none":    {lockstrategy.Sum, none, some(2), some(3), some(5)},
		"sum where ours is removed":   {lockstrategy.Sum, some(5), none, some(6), some(1)},
		"sum where theirs is removed": {lockstrategy.Sum, some(5), some(6), none, some(1)},
		"sum where both are removed":  {lockstrategy.Sum, some(5), none, none, none},
		"sum of different types":      {lockstrategy.Sum, some(5), some(6), some(int64(7)), some(6)},
		"sum after another type":      {lockstrategy.Sum, some("5"), some(6), some(7), some(6)},
		"sum of no numbers":           {lockstrategy.Sum, some("a"), some("b"), some("c"), some("b")},
		"sum of times":                {lockstrategy.Sum, some(noon), some(noon), some(later), some(noon)},
		"sum with infinity":           {lockstrategy.Sum, some(0.0), some(math.Inf(1)), some(1.0), some(math.Inf(1))},
		"sum with their infinity":     {lockstrategy.Sum, some(0.0), some(1.0), some(math.Inf(-1)), some(math.Inf(-1))},
		"sum of nil":                  {lockstrategy.Sum, none, some(nil), some(1), some(nil)},
		"max of int":                  {lockstrategy.Max, some(1), some(2), some(3), some(3)},
		"max of ours":                 {lockstrategy.Max, some(1), some(3), some(2), some(3)},
		"max of uint":                 {lockstrategy.Max, none, some(uint(2)), some(uint(3)), some(uint(3))},
		"max of times":                {lockstrategy.Max, some(noon), some(noon.Add(1)), some(later), some(later)},
		"max of strings":              {lockstrategy.Max, none, some("a"), some("b"), some("b")},
		"max of NaN and a number":     {lockstrategy.Max, none, some(math.NaN()), some(1.0), some(1.0)},
		"max of a number and NaN":     {lockstrategy.Max, none, some(1.0), some(math.NaN()), some(1.0)},
		"max where ours is removed":   {lockstrategy.Max, some(1), none, some(2), some(2)},
		"max where theirs is removed": {lockstrategy.Max, some(1), some(2), none, some(2)},
		"max where both are removed":  {lockstrategy.Max, some(1), none, none, none},
		"max of different types":      {lockstrategy.Max, some(1), some(2), some("b"), some(2)},
		"max of a time and a number":  {lockstrategy.Max, some(1), some(noon), some(3), some(noon)},
		"max of what has no order":    {lockstrategy.Max, none, some(element{"a"}), some(element{"b"}), some(element{"a"})},
		"max of nil":                  {lockstrategy.Max, none, some(nil), some(nil), some(nil)},
		"max of the same instant":     {lockstrategy.Max, none, some(noon), some(noon.In(later.Location())), some(noon)},
		"min of the same instant": {
			lockstrategy.Min, none, some(noon.In(later.Location())), some(noon),
			some(noon.In(later.Location())),
		},
		"min of different types":     {lockstrategy.Min, none, some(2), some("b"), some(2)},
		"min of a number and a time": {lockstrategy.Min, none, some(2), some(noon), some(2)},
		"min of what has no order":   {lockstrategy.Min, none, some(element{"b"}), some(element{"a"}), some(element{"b"})},
		"min of nil and a number":    {lockstrategy.Min, none, some(nil), some(1), some(nil)},
		"min of a number and nil":    {lockstrategy.Min, none, some(1), some(nil), some(1)},
		"min of int":                 {lockstrategy.Min, some(1), some(3), some(2), some(2)},
		"min of durations":           {lockstrategy.Min, none, some(time.Minute), some(time.Hour), some(time.Minute)},
		"min of NaN and a number":    {lockstrategy.Min, none, some(math.NaN()), some(1.0), some(1.0)},
		"min of a number and NaN":    {lockstrategy.Min, none, some(1.0), some(math.NaN()), some(1.0)},
		"latest":                     {lockstrategy.Ours, some(1), some(2), some(3), some(2)},
		"latest, removed":            {lockstrategy.Ours, some(1), none, some(3), none},
		"by key":                     {perKey, some(1), some(3), some(2), some(4)},
		"by another key":             {otherKey, some(1), some(3), some(2), some(3)},
		"union of additions": {
			lockstrategy.Union, some([]int{1}), some([]int{1, 2}), some([]int{1, 3}),
			some([]int{1, 3, 2}),
		},
		"union of the same addition": {lockstrategy.Union, some(tags{}), some(tags{"a"}), some(tags{"a"}), some(tags{"a"})},
		"union of a removal": {
			lockstrategy.Union, some(tags{"a", "b"}), some(tags{"a"}), some(tags{"a", "b", "c"}),
			some(tags{"a", "c"}),
		},
		"union of both removals": {
			lockstrategy.Union, some(tags{"a", "b"}), some(tags{"a"}),
			some(tags{"b"}), some(tags{}),
		},
		"union of what is there twice": {
			lockstrategy.Union, some(tags{"a"}), some(tags{"a", "a"}), some(tags{"a", "b"}),
			some(tags{"a", "b", "a"}),
		},
		"union where there was none":   {lockstrategy.Union, none, some(tags{"a"}), some(tags{"b"}), some(tags{"b", "a"})},
		"union where ours is removed":  {lockstrategy.Union, some(tags{"a"}), none, some(tags{"a", "b"}), some(tags{"b"})},
		"union where both are removed": {lockstrategy.Union, some(tags{"a"}), none, none, none},
		"union of any": {
			lockstrategy.Union, some([]any{}), some([]any{1, "a", nil, math.NaN(), element{"x"}}),
			some([]any{nil, math.NaN(), element{"x"}, 2}),
			some([]any{nil, math.NaN(), element{"x"}, 2, 1, "a"}),
		},
		"union of sets": {
			lockstrategy.Union, some(marks{"a": true, "b": true}), some(marks{"a": true, "c": true}),
			some(marks{"b": true, "d": true}),
			some(marks{"c": true, "d": true}),
		},
		"union of maps": {
			lockstrategy.Union, some(map[string]int{"a": 1, "b": 1, "c": 1}), some(map[string]int{"a": 2, "b": 1, "c": 2}),
			some(map[string]int{"a": 1, "b": 2, "c": 3}), some(map[string]int{"a": 2, "b": 2, "c": 2}),
		},
		"union of maps in maps": {
			lockstrategy.Union, some(map[string]any{"a": []any{1.0}, "b": nil}),
			some(map[string]any{"a": []any{1.0, 2.0}, "b": nil}),
			some(map[string]any{"a": []any{1.0, 3.0}, "b": nil}), some(map[string]any{"a": []any{1.0, 3.0, 2.0}, "b": nil}),
		},
		"union of maps where there was none": {
			lockstrategy.Union, none, some(map[int]tags{1: {"a"}}), some(map[int]tags{1: {"b"}}),
			some(map[int]tags{1: {"b", "a"}}),
		},
		"union of no collections":  {lockstrategy.Union, some(1), some(2), some(3), some(2)},
		"union of different types": {lockstrategy.Union, none, some([]int{1}), some([]any{1}), some([]int{1})},
	} {
		got, err := test.policy("key", test.base, test.ours, test.theirs)
		if err != nil || !alike(got, test.want) {
			t.Errorf("%s: %#v, %v; want %#v", name, got, err, test.want)
		}
	}
}

// alike compares with NaN.
func alike(a, b lockstrategy.Value) bool {
	if list, ok := a.Value.([]any); ok {
		wanted, _ := b.Value.([]any)
		return slices.EqualFunc(list, wanted, func(x, y any) bool { return x == y || x != x && y != y })
	}
	return reflect.DeepEqual(a, b)
}

func TestSumThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for name, v := range map[string][3]any{
		"int8":         {int8(0), int8(100), int8(100)},
		"int64":        {int64(0), int64(math.MaxInt64), int64(1)},
		"int64, below": {int64(0), int64(math.MinInt64), int64(-1)},
		"uint below 0": {uint(5), uint(2), uint(1)},
		"uint64":       {uint64(0), uint64(math.MaxUint64), uint64(1)},
		"durations":    {time.Duration(0), time.Duration(math.MaxInt64), time.Second},
	} {
		got, err := lockstrategy.Sum("key", some(v[0]), some(v[1]), some(v[2]))
		if !errors.Is(err, storage.ErrConflict) {
			t.Errorf("%s: %v, %v; want ErrConflict", name, got, err)
		}
	}
}

// Sum is exact or refuses, and it does not matter who is first.
func TestSumProperties(t *testing.T) {
	t.Parallel()
	property := func(base, ours, theirs int64, near bool) bool {
		if near { // to the limits
			base, ours, theirs = math.MaxInt64-base&3, math.MaxInt64-ours&3, math.MaxInt64-theirs&3
		}
		exact := new(big.Int).Add(big.NewInt(ours), big.NewInt(theirs))
		exact.Sub(exact, big.NewInt(base))
		one, err := lockstrategy.Sum("", some(base), some(ours), some(theirs))
		two, errTwo := lockstrategy.Sum("", some(base), some(theirs), some(ours))
		if !exact.IsInt64() {
			return err != nil && errTwo != nil
		}
		return err == nil && errTwo == nil && one == two && one.Value == exact.Int64()
	}
	unsigned := func(base, ours, theirs uint64, near bool) bool {
		if near {
			base, ours, theirs = base&3, ours&3, theirs&3
		}
		exact := new(big.Int).Add(new(big.Int).SetUint64(ours), new(big.Int).SetUint64(theirs))
		exact.Sub(exact, new(big.Int).SetUint64(base))
		got, err := lockstrategy.Sum("", some(base), some(ours), some(theirs))
		if !exact.IsUint64() {
			return err != nil
		}
		return err == nil && got.Value == exact.Uint64()
	}
	for name, p := range map[string]any{"signed": property, "unsigned": unsigned} {
		if err := quick.Check(p, &quick.Config{MaxCount: 2000}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Max and Min return one of the two, and none is beyond it; it does not matter who is first.
func TestExtremeProperties(t *testing.T) {
	t.Parallel()
	property := func(base, ours, theirs float64) bool {
		most, _ := lockstrategy.Max("", some(base), some(ours), some(theirs))
		least, _ := lockstrategy.Min("", some(base), some(theirs), some(ours))
		return most.Value == max(ours, theirs) && least.Value == min(ours, theirs)
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

// Union has each element that either has added or neither has removed, whatever the order.
func TestUnionProperties(t *testing.T) {
	t.Parallel()
	for range 2000 {
		base, ours, theirs := subset(), subset(), subset()
		one, err := lockstrategy.Union("", some(base), some(ours), some(theirs))
		two, errTwo := lockstrategy.Union("", some(base), some(theirs), some(ours))
		sets, errSets := lockstrategy.Union("", some(setOf(base)), some(setOf(ours)), some(setOf(theirs)))
		if err := errors.Join(err, errTwo, errSets); err != nil {
			t.Fatal(err)
		}
		for n := range 8 {
			was, our, their := slices.Contains(base, n), slices.Contains(ours, n), slices.Contains(theirs, n)
			want := our && their || !was && (our || their)
			if slices.Contains(one.Value.([]int), n) != want || slices.Contains(two.Value.([]int), n) != want ||
				sets.Value.(map[int]bool)[n] != want {
				t.Fatalf("base %v, ours %v, theirs %v: %v, %v and %v; should have %d: %v", base, ours, theirs, one,
					two, sets, n, want)
			}
		}
	}
}

func subset() (s []int) {
	for n := range 8 {
		if rand.IntN(2) == 0 {
			s = append(s, n)
		}
	}
	return s
}

func setOf(s []int) map[int]bool {
	set := map[int]bool{}
	for _, n := range s {
		set[n] = true
	}
	return set
}

// What does not fit a floating-point number, and keys that do not equal themselves.
func TestPoliciesAtTheEdge(t *testing.T) {
	t.Parallel()
	value := func(v any) lockstrategy.Value { return lockstrategy.Value{Value: v, Present: true} }
	for name, values := range map[string][3]any{
		"too large": {0.0, math.MaxFloat64, math.MaxFloat64}, "from infinity": {math.Inf(1), 1.0, 2.0},
		"single": {float32(0), float32(math.MaxFloat32), float32(math.MaxFloat32)},
	} {
		_, err := lockstrategy.Sum("key", value(values[0]), value(values[1]), value(values[2]))
		if !errors.Is(err, storage.ErrConflict) {
			t.Errorf("%s: %v; want a conflict", name, err)
		}
	}
	nan := math.NaN()
	united, err := lockstrategy.Union("key", value(map[float64]int{nan: 1}), value(map[float64]int{nan: 2, 2: 1}),
		value(map[float64]int{nan: 3, 1: 1}))
	m, _ := united.Value.(map[float64]int)
	if values := slices.Sorted(maps.Values(m)); err != nil || m[1] != 1 || m[2] != 1 ||
		!slices.Equal(values, []int{1, 1, 2}) {
		t.Errorf("%v, %v; want what either has added, and NaN as this commit has it", united.Value, err)
	}
}

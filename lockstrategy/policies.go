package lockstrategy

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"reflect"
	"time"

	"github.com/scsdynamo/scsdynamo/internal/equal"
	"github.com/scsdynamo/scsdynamo/storage"
)

// PerKey chooses the policy by the key of the value. Values without one are kept as by [Ours].
func PerKey(policies map[string]SameKey) SameKey {
	policies = maps.Clone(policies)
	return func(key string, base, ours, theirs Value) (Value, error) {
		policy := policies[key]
		if policy == nil {
			policy = Ours
		}
		return policy(key, base, ours, theirs)
	}
}

// Sum adds up what both have added to a number, as to a counter: integers and floating-point numbers of all types, also
// named ones such as time.Duration. A number that is absent counts as 0; what both have removed stays removed. A sum
// that does not fit the type refuses the commit, with an error that matches [storage.ErrConflict]. Other values, and
// numbers of different types, are kept as by [Ours].
func Sum(key string, base, ours, theirs Value) (Value, error) {
	numbers, ok := alike(base, ours, theirs)
	if !ok {
		return Ours(key, base, ours, theirs)
	}
	was, our, their := numbers[0], numbers[1], numbers[2]
	sum := reflect.New(our.Type()).Elem()
	var fits bool
	switch {
	case our.CanInt():
		total, whole := addUp(our.Int(), their.Int(), was.Int())
		fits = whole && !sum.OverflowInt(total)
		sum.SetInt(total)
	case our.CanUint():
		total, whole := addUp(our.Uint(), their.Uint(), was.Uint())
		fits = whole && !sum.OverflowUint(total)
		sum.SetUint(total)
	case our.CanFloat():
		total := our.Float() + their.Float() - was.Float()
		fits = !sum.OverflowFloat(total) && (isFinite(total) || !isFinite(our.Float()) || !isFinite(their.Float()))
		sum.SetFloat(total)
	default:
		return Ours(key, base, ours, theirs)
	}
	if !fits {
		return Value{}, fmt.Errorf("lockstrategy: Sum: what two requests have made of one %s does not fit its type: %w",
			our.Type(), storage.ErrConflict)
	}
	return Value{Value: sum.Interface(), Present: true}, nil
}

// addUp returns a + b - base, and whether that is a number of the type.
func addUp[T int64 | uint64](a, b, base T) (sum T, fits bool) {
	sum = a + b - base // modulo 2^64
	return sum, (sum >= a) == (b >= base)
}

// Max keeps the greatest value that one of the two has made: numbers of all types, also named ones such as
// time.Duration, strings, and time.Time. A value that only one of them has is kept. NaN is less than any number. Of
// equal values, other values, and values of different types, one is kept as by [Ours].
func Max(key string, base, ours, theirs Value) (Value, error) {
	return extreme(1, key, base, ours, theirs)
}

// Min keeps the least value that one of the two has made. It is [Max] otherwise; also here, a number is kept before
// NaN.
func Min(key string, base, ours, theirs Value) (Value, error) {
	return extreme(-1, key, base, ours, theirs)
}

// extreme is Max, or Min where sign is -1.
func extreme(sign int, key string, base, ours, theirs Value) (Value, error) {
	switch {
	case !ours.Present:
		return theirs, nil
	case !theirs.Present:
		return ours, nil
	case isNaN(ours.Value) || isNaN(theirs.Value):
		sign = 1 // which keeps the number
	}
	if sign*compare(ours.Value, theirs.Value) < 0 {
		return theirs, nil
	}
	return Ours(key, base, ours, theirs)
}

func isNaN(v any) bool {
	r := reflect.ValueOf(v)
	return r.CanFloat() && r.Float() != r.Float()
}

// compare orders two values of one type. It returns 0 where they have no order.
func compare(a, b any) int {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if !x.IsValid() || !y.IsValid() || x.Type() != y.Type() {
		return 0
	}
	if t, ok := a.(time.Time); ok {
		return t.Compare(b.(time.Time))
	}
	switch {
	case x.CanInt():
		return cmp.Compare(x.Int(), y.Int())
	case x.CanUint():
		return cmp.Compare(x.Uint(), y.Uint())
	case x.CanFloat():
		return cmp.Compare(x.Float(), y.Float())
	case x.Kind() == reflect.String:
		return cmp.Compare(x.String(), y.String())
	default:
		return 0
	}
}

func isFinite(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }

// Union keeps in a slice or a map what either of the two has added, and drops what either has removed.
//
// A slice is a collection of elements: theirs come first, in their order, then those that only this commit has added.
// An element that was there more than once is there as often as the request that has changed that left it, or the one
// that left more. Of a map, an entry that both have changed is united if it is a map or a slice itself, and else as
// this commit has it.
//
// A value that is absent counts as empty; what both have removed stays removed. Other values, and values of different
// types, are kept as by [Ours].
func Union(key string, base, ours, theirs Value) (Value, error) {
	values, ok := alike(base, ours, theirs)
	if !ok {
		return Ours(key, base, ours, theirs)
	}
	was, our, their := values[0], values[1], values[2]
	switch our.Kind() {
	case reflect.Slice:
		return Value{Value: uniteSlices(was, our, their).Interface(), Present: true}, nil
	case reflect.Map:
		united, err := uniteMaps(was, our, their)
		if err != nil {
			return Value{}, err
		}
		return Value{Value: united.Interface(), Present: true}, nil
	default:
		return Ours(key, base, ours, theirs)
	}
}

// alike returns three values of one type, the zero value for one that is absent. False where the types differ, or where
// ours and theirs are both absent.
func alike(base, ours, theirs Value) (values [3]reflect.Value, ok bool) {
	if !ours.Present && !theirs.Present {
		return values, false
	}
	var common reflect.Type
	for _, v := range [...]Value{base, ours, theirs} {
		switch t := reflect.TypeOf(v.Value); {
		case !v.Present:
		case t == nil || common != nil && t != common:
			return values, false
		default:
			common = t
		}
	}
	for i, v := range [...]Value{base, ours, theirs} {
		values[i] = reflect.Zero(common)
		if v.Present {
			values[i] = reflect.ValueOf(v.Value)
		}
	}
	return values, true
}

// uniteSlices is Union for slices.
func uniteSlices(was, our, their reflect.Value) reflect.Value {
	var all elements
	all.count(was, 0)
	all.count(our, 1)
	all.count(their, 2)
	united := reflect.MakeSlice(our.Type(), 0, max(our.Len(), their.Len()))
	for _, from := range [...]reflect.Value{their, our} {
		for i := range from.Len() {
			if e := all.find(from.Index(i)); e.taken < e.wanted() {
				e.taken++
				united = reflect.Append(united, from.Index(i))
			}
		}
	}
	return united
}

// elements are those of three slices, each once.
type elements struct {
	all    []*element
	simple map[any]*element // those that are found by their value
}

// element is how often an element is in each of the slices, and in the result.
type element struct {
	value  reflect.Value
	counts [3]int // base, ours, theirs
	taken  int
}

// wanted is how often the element is to be in the result.
func (e *element) wanted() int {
	switch was, our, their := e.counts[0], e.counts[1], e.counts[2]; {
	case our == was:
		return their
	case their == was:
		return our
	default:
		return max(our, their)
	}
}

func (es *elements) count(slice reflect.Value, which int) {
	for i := range slice.Len() {
		es.find(slice.Index(i)).counts[which]++
	}
}

// find returns the element of that value.
func (es *elements) find(v reflect.Value) *element {
	value := v.Interface()
	switch k := reflect.ValueOf(value); {
	case k.CanInt(), k.CanUint(), k.Kind() == reflect.String, k.Kind() == reflect.Bool:
		if es.simple == nil {
			es.simple = map[any]*element{}
		}
		if es.simple[value] == nil {
			es.simple[value] = &element{value: v}
		}
		return es.simple[value]
	}
	for _, e := range es.all {
		if equal.Values(e.value.Interface(), value) {
			return e
		}
	}
	e := &element{value: v}
	es.all = append(es.all, e)
	return e
}

// uniteMaps is Union for maps.
func uniteMaps(was, our, their reflect.Value) (reflect.Value, error) {
	united := reflect.MakeMap(our.Type())
	for _, from := range [...]reflect.Value{their, our} {
		for i := from.MapRange(); i.Next(); {
			if !from.MapIndex(i.Key()).IsValid() { // a key that does not equal itself is in nobody else's map
				if from == our {
					united.SetMapIndex(i.Key(), i.Value())
				}
				continue
			}
			kept, err := uniteEntry(entryOf(was, i.Key()), entryOf(our, i.Key()), entryOf(their, i.Key()))
			if err != nil {
				return reflect.Value{}, err
			}
			if kept.Present {
				value := reflect.New(our.Type().Elem()).Elem()
				if kept.Value != nil {
					value.Set(reflect.ValueOf(kept.Value))
				}
				united.SetMapIndex(i.Key(), value)
			}
		}
	}
	return united, nil
}

func entryOf(m, key reflect.Value) Value {
	v := m.MapIndex(key)
	if !v.IsValid() {
		return Value{}
	}
	return Value{Value: v.Interface(), Present: true}
}

func uniteEntry(was, our, their Value) (Value, error) {
	switch {
	case same(was, their):
		return our, nil
	case same(was, our):
		return their, nil
	default:
		return Union("", was, our, their)
	}
}

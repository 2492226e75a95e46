// Package equal compares the values of sessions.
package equal

import (
	"maps"
	"math"
	"reflect"
	"slices"
)

// Values reports whether a and b hold the same. It is reflect.DeepEqual, except that a value always equals itself and
// its copies: a number that is not a number (NaN) equals any other such number, wherever it is, also as the key of a
// map; and a function equals itself.
func Values(a, b any) bool {
	return (&walk{}).same(reflect.ValueOf(a), reflect.ValueOf(b))
}

// walk is one comparison. It remembers the pairs of references that it is comparing: what refers to itself ends there.
type walk struct{ seen map[pair]bool }

type pair struct {
	a, b reference
	kind reflect.Type
}

type reference struct {
	address uintptr
	length  int // of a slice
}

func (w *walk) same(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return sameFloat(a.Float(), b.Float())
	case reflect.Complex64, reflect.Complex128:
		x, y := a.Complex(), b.Complex()
		return sameFloat(real(x), real(y)) && sameFloat(imag(x), imag(y))
	case reflect.Array:
		return w.sameElements(a, b)
	case reflect.Struct:
		for i := range a.NumField() {
			if !w.same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Interface:
		return w.same(a.Elem(), b.Elem())
	case reflect.Pointer:
		return w.sameReferences(a, b, func() bool { return w.same(a.Elem(), b.Elem()) })
	case reflect.Slice:
		return w.sameReferences(a, b, func() bool { return w.sameElements(a, b) })
	case reflect.Map:
		return w.sameReferences(a, b, func() bool { return w.sameEntries(a, b) })
	case reflect.Func:
		return a.UnsafePointer() == b.UnsafePointer()
	default:
		return a.Equal(b)
	}
}

func sameFloat(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// sameReferences compares what two pointers, slices or maps refer to.
func (w *walk) sameReferences(a, b reflect.Value, compare func() bool) bool {
	if a.IsNil() || b.IsNil() {
		return a.IsNil() == b.IsNil()
	}
	this := pair{referenceOf(a), referenceOf(b), a.Type()}
	if this.a == this.b || w.seen[this] {
		return true
	}
	if w.seen == nil {
		w.seen = map[pair]bool{}
	}
	w.seen[this] = true
	return compare()
}

func referenceOf(v reflect.Value) reference {
	r := reference{address: v.Pointer()}
	if v.Kind() == reflect.Slice {
		r.length = v.Len()
	}
	return r
}

// sameElements compares arrays and slices.
func (w *walk) sameElements(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		if !w.same(a.Index(i), b.Index(i)) {
			return false
		}
	}
	return true
}

// sameEntries compares maps. A key that does not equal itself is not found by looking it up.
func (w *walk) sameEntries(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	var rest []entry // of b, whose keys cannot be looked up
	for i := b.MapRange(); i.Next(); {
		if !b.MapIndex(i.Key()).IsValid() {
			rest = append(rest, entry{i.Key(), i.Value()})
		}
	}
	for i := a.MapRange(); i.Next(); {
		if !a.MapIndex(i.Key()).IsValid() {
			at := w.find(entry{i.Key(), i.Value()}, rest)
			if at < 0 {
				return false
			}
			rest = slices.Delete(rest, at, at+1)
		} else if !w.same(i.Value(), b.MapIndex(i.Key())) {
			return false
		}
	}
	return true
}

type entry struct{ key, value reflect.Value }

// find returns the index of the first entry that is the same, or -1. What a comparison has seen that fails does not
// count.
func (w *walk) find(wanted entry, entries []entry) int {
	for i, e := range entries {
		trial := walk{seen: maps.Clone(w.seen)}
		if trial.same(wanted.key, e.key) && trial.same(wanted.value, e.value) {
			w.seen = trial.seen
			return i
		}
	}
	return -1
}

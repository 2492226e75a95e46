package inspect

import (
	"encoding/gob"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"
)

// ErrValues says that the data of a session cannot be decoded here.
var ErrValues = errors.New("the values cannot be decoded: they are of types that only the application knows, or it " +
	"has a " +
	"codec of its own")

// Types that applications put into sessions and that gob does not know by itself. One that registers them, too, gives
// them the same names.
func init() { //nolint:gochecknoinits // gob has but one register, for the whole program.
	for _, value := range []any{
		time.Time{},
		time.Duration(0),
		map[string]string{},
		map[string]any{},
		map[string]bool{},
		map[string]int{},
		[]any{},
		url.Values{},
	} {
		gob.Register(value)
	}
}

// Values are what an application has put into a session.
type Values struct {
	// Deadline is when the session ends however it is used.
	Deadline time.Time `json:"deadline"`
	// Values are the values by their keys.
	Values map[string]any `json:"values"`
}

// Decode decodes the data of a session as scs.GobCodec does, the codec of session managers that were given no other.
// Errors: [ErrValues].
func Decode(data []byte) (values Values, err error) {
	defer func() {
		if damage := recover(); damage != nil {
			err = ErrValues
		}
	}()
	values.Deadline, values.Values, err = scs.GobCodec{}.Decode(data)
	if err != nil {
		return Values{}, fmt.Errorf("%w (%v)", ErrValues, err) //nolint:errorlint // gob has no types of errors.
	}
	return values, nil
}

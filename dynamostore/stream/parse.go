package stream

import (
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// ParseEvent returns the records in the event of a Lambda function, which are those of an answer to GetRecords, too. A
// record of which a part cannot be read is among them; [Reader.Read] reports it.
func ParseEvent(event []byte) ([]Record, error) {
	var parsed struct {
		Records []struct {
			EventName    string
			UserIdentity Identity
			DynamoDB     struct {
				ApproximateCreationDateTime float64
				OldImage, NewImage          json.RawMessage
				SequenceNumber              string
			}
		}
	}
	if err := json.Unmarshal(event, &parsed); err != nil {
		return nil, errors.New("stream: the event is not that of a DynamoDB stream") // which may have data in it
	}
	records := make([]Record, 0, len(parsed.Records))
	for _, p := range parsed.Records {
		r := Record{
			EventName: p.EventName, UserIdentity: p.UserIdentity, SequenceNumber: p.DynamoDB.SequenceNumber,
			CreatedAt: instant(p.DynamoDB.ApproximateCreationDateTime),
		}
		var oldErr, newErr error
		r.OldImage, oldErr = parseImage("OldImage", p.DynamoDB.OldImage)
		r.NewImage, newErr = parseImage("NewImage", p.DynamoDB.NewImage)
		r.err = errors.Join(oldErr, newErr)
		records = append(records, r)
	}
	return records, nil
}

// instant returns that of Unix seconds.
func instant(seconds float64) time.Time {
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*float64(time.Second)))
}

// parseImage returns the item of an image, nil where there is none.
func parseImage(name string, image json.RawMessage) (map[string]types.AttributeValue, error) {
	if len(image) == 0 || string(image) == "null" {
		return nil, nil
	}
	var values map[string]value
	if json.Unmarshal(image, &values) == nil {
		if item, ok := attributesOf(values); ok {
			return item, nil
		}
	}
	return nil, &storage.CorruptError{Part: name, Problem: "is not an item in the JSON of DynamoDB"}
}

// value is an attribute value in the JSON of DynamoDB. One of its fields is there.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_AttributeValue.html
type value struct {
	S, N *string
	B    *[]byte
	BOOL *bool
	NULL *bool
	SS   []string
	NS   []string
	BS   [][]byte
	L    []value
	M    map[string]value
}

// attribute returns the value as the SDK has it. ok is false where it is none, or more than one.
func (v *value) attribute() (attribute types.AttributeValue, ok bool) {
	ok = true
	n := 0
	is := func(there bool, a func() types.AttributeValue) {
		if there {
			n++
			attribute = a()
		}
	}
	is(v.S != nil, func() types.AttributeValue { return &types.AttributeValueMemberS{Value: *v.S} })
	is(v.N != nil, func() types.AttributeValue { return &types.AttributeValueMemberN{Value: *v.N} })
	is(v.B != nil, func() types.AttributeValue { return &types.AttributeValueMemberB{Value: *v.B} })
	is(v.BOOL != nil, func() types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: *v.BOOL} })
	is(v.NULL != nil, func() types.AttributeValue { return &types.AttributeValueMemberNULL{Value: *v.NULL} })
	is(v.SS != nil, func() types.AttributeValue { return &types.AttributeValueMemberSS{Value: v.SS} })
	is(v.NS != nil, func() types.AttributeValue { return &types.AttributeValueMemberNS{Value: v.NS} })
	is(v.BS != nil, func() types.AttributeValue { return &types.AttributeValueMemberBS{Value: v.BS} })
	is(v.L != nil, func() types.AttributeValue {
		list := make([]types.AttributeValue, len(v.L))
		for i := range v.L {
			var valid bool
			list[i], valid = v.L[i].attribute()
			ok = ok && valid
		}
		return &types.AttributeValueMemberL{Value: list}
	})
	is(v.M != nil, func() types.AttributeValue {
		item, valid := attributesOf(v.M)
		ok = ok && valid
		return &types.AttributeValueMemberM{Value: item}
	})
	return attribute, ok && n == 1
}

func attributesOf(values map[string]value) (item map[string]types.AttributeValue, ok bool) {
	item, ok = make(map[string]types.AttributeValue, len(values)), true
	for name, v := range values {
		var valid bool
		item[name], valid = v.attribute()
		ok = ok && valid
	}
	return item, ok
}

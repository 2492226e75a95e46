package dynamostore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Scan implements storage.Driver. A page is what one Scan looks at: up to 1 MB of the table, other items included, or
// request.Limit items.
func (d *Driver) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	input, err := d.scanInput(request)
	if err != nil {
		return storage.Page{}, err
	}
	input.ReturnConsumedCapacity = capacityOf(storage.MeterFrom(ctx))
	out, err := call(ctx, d, Client.Scan, input)
	if err != nil {
		return storage.Page{}, d.faults.wrap(ctx, "Scan", err)
	}
	page := storage.Page{Records: make([]storage.Record, 0, len(out.Items))}
	for i, it := range out.Items {
		out.Items[i] = nil // what is decoded need not be held twice
		record, ours, err := d.table.decode(it)
		if ours && err == nil && record.Data == nil && !request.WithoutData {
			_, err = d.whole(it)
		}
		switch {
		case !ours:
		case err != nil:
			key, _ := d.table.cutKey(it)
			data := (&decoder{item: it}).binary(d.table.Attributes.Data)
			page.Unreadable = append(page.Unreadable, storage.Unreadable{Key: key, Err: err, Data: data})
		default:
			page.Records = append(page.Records, record)
		}
	}
	page.Next, err = d.positionOf(out.LastEvaluatedKey)
	return page, err
}

func (d *Driver) scanInput(request storage.ScanRequest) (*dynamodb.ScanInput, error) {
	if err := request.Validate(); err != nil {
		return nil, err
	}
	start, err := d.startOf(request.Start)
	if err != nil {
		return nil, err
	}
	input := &dynamodb.ScanInput{
		TableName:         &d.table.Name,
		ConsistentRead:    aws.Bool(request.Consistency == storage.Strong),
		ExclusiveStartKey: start,
	}
	if request.Limit > 0 {
		input.Limit = aws.Int32(int32(min(request.Limit, 1<<30)))
	}
	if request.Segments > 1 {
		input.Segment = aws.Int32(int32(request.Segment))        //nolint:gosec // Bounded by Validate.
		input.TotalSegments = aws.Int32(int32(request.Segments)) //nolint:gosec // Bounded by Validate.
	}
	names := map[string]string{}
	d.filterPrefix(input, names)
	if request.WithoutData {
		input.ProjectionExpression = aws.String(d.projectWithoutData(names))
		input.Select = types.SelectSpecificAttributes // which rights can be limited to
	}
	if len(names) > 0 {
		input.ExpressionAttributeNames = names
	}
	return input, nil
}

// filterPrefix keeps items of others out of the response. Suffixes are left to decode: DynamoDB has no filter for them.
func (d *Driver) filterPrefix(input *dynamodb.ScanInput, names map[string]string) {
	var terms []string
	values := item{}
	for _, k := range []struct {
		key         Key
		name, value string
	}{{d.table.PartitionKey, namePartition, ":prefix"}, {d.table.SortKey, nameSort, ":sort_prefix"}} {
		if k.key.Name == "" || k.key.Prefix == "" {
			continue
		}
		terms = append(terms, "begins_with("+k.name+", "+k.value+")")
		names[k.name] = k.key.Name
		values[k.value] = &types.AttributeValueMemberS{Value: k.key.Prefix}
	}
	if len(terms) > 0 {
		input.FilterExpression = aws.String(strings.Join(terms, " AND "))
		input.ExpressionAttributeValues = values
	}
}

// projectWithoutData names everything but the payload. It saves transfer and memory, not capacity.
func (d *Driver) projectWithoutData(names map[string]string) string {
	placeholders := map[string]string{}
	for name, attribute := range d.table.attributesByPlaceholder() {
		placeholders[attribute] = name
	}
	var projected []string
	for _, attribute := range d.table.AttributesWithoutData() {
		name := placeholders[attribute]
		projected, names[name] = append(projected, name), attribute
	}
	return strings.Join(projected, ", ")
}

// position is a storage.Position as it is written: the primary key that a scan goes on after, and in an index the hour.
type position struct {
	Partition string `json:"p"`
	Sort      string `json:"s,omitempty"`
	Hour      string `json:"h,omitempty"`
}

var errPosition = errors.New("dynamostore: this is not a position of a scan of this table")

func (d *Driver) positionOf(last item) (storage.Position, error) {
	if len(last) == 0 {
		return "", nil
	}
	key := decoder{item: last}
	p := position{Partition: key.text(d.table.PartitionKey.Name, required)}
	if d.table.SortKey.Name != "" {
		p.Sort = key.text(d.table.SortKey.Name, required)
	}
	if key.err != nil {
		return "", d.faults.error("Scan", ErrTableMismatch, errors.New("the primary key is not that of Table"))
	}
	if hour, ok := last[d.table.Attributes.ExpiryHour].(*types.AttributeValueMemberN); ok {
		p.Hour = hour.Value
	}
	text, err := json.Marshal(p)
	return storage.Position(base64.RawURLEncoding.EncodeToString(text)), err
}

func (d *Driver) startOf(at storage.Position) (item, error) {
	if at == "" {
		return nil, nil
	}
	p, err := d.parsePosition(at)
	if err != nil || p.Hour != "" {
		return nil, errPosition
	}
	return d.primaryKey(p), nil
}

func (d *Driver) parsePosition(at storage.Position) (position, error) {
	var p position
	text, err := base64.RawURLEncoding.DecodeString(string(at))
	if err != nil || json.Unmarshal(text, &p) != nil || p.Partition == "" ||
		(p.Sort == "") != (d.table.SortKey.Name == "") {
		return position{}, errPosition
	}
	if _, err := strconv.ParseInt(p.Hour, 10, 64); p.Hour != "" && err != nil {
		return position{}, errPosition
	}
	if len(p.Partition) > maxPartitionKeyBytes || len(p.Sort) > maxSortKeyBytes {
		return position{}, errPosition
	}
	return p, nil
}

// primaryKey is the key of the item that a position is at.
func (d *Driver) primaryKey(p position) item {
	key := item{d.table.PartitionKey.Name: &types.AttributeValueMemberS{Value: p.Partition}}
	if d.table.SortKey.Name != "" {
		key[d.table.SortKey.Name] = &types.AttributeValueMemberS{Value: p.Sort}
	}
	return key
}

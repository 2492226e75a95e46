package lockstrategy_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

type noImporter struct{}

func (noImporter) Import(string) (*types.Package, error) { return nil, errors.New("not imported") }

// A reader who takes the files in the order that doc.go names needs nothing that comes later.
func TestNoFileNeedsALaterOne(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(doc), "from the ground up; none needs one that comes later:")
	order := regexp.MustCompile(`[a-z_]+`).FindAllString(list, -1)

	set := token.NewFileSet()
	fileOf := func(pos token.Pos) string {
		return strings.TrimSuffix(filepath.Base(set.Position(pos).Filename), ".go")
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || name == "doc.go" {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		if !slices.Contains(order, fileOf(file.Package)) {
			t.Errorf("doc.go does not name %s", name)
		}
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	ignore := types.Config{Importer: noImporter{}, Error: func(error) {}} // what is imported is not asked for
	pkg, _ := ignore.Check("lockstrategy", set, files, info)
	uses := 0
	for name, used := range info.Uses {
		if used.Pkg() != pkg {
			continue
		}
		from, to := fileOf(name.Pos()), fileOf(used.Pos())
		if from != to {
			uses++
		}
		if slices.Index(order, from) < slices.Index(order, to) {
			t.Errorf("%s needs %s of %s, which comes later", set.Position(name.Pos()), used.Name(), to)
		}
	}
	if uses < 300 {
		t.Errorf("only %d uses across files were found", uses)
	}
}

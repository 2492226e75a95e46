package main

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pkg is the package whose code is changed, with its types.
type pkg struct {
	dir     string
	fset    *token.FileSet
	files   []*file
	imports types.Importer
	info    *types.Info
	types   *types.Package
}

// file is one of its files.
type file struct {
	pkg    *pkg
	name   string
	source []byte
	lines  []string
	syntax *ast.File
}

// load reads a package. Its imports are compiled, if they are not yet.
func load(dir string) (*pkg, error) {
	//nolint:noctx // Our own.
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "./"+dir)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, export, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[path] = export
	}
	p := &pkg{dir: dir, fset: token.NewFileSet()}
	p.imports = importer.ForCompiler(p.fset, "gc",
		func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	names, err := exec.Command("go", "list", "-f", `{{join .GoFiles "\n"}}`, "./"+dir).Output() //nolint:noctx // Our own.
	if err != nil {
		return nil, err
	}
	for name := range strings.FieldsSeq(string(names)) {
		f := &file{pkg: p, name: filepath.Join(dir, name)}
		if f.source, err = os.ReadFile(f.name); err != nil {
			return nil, err
		}
		if f.syntax, err = parser.ParseFile(p.fset, f.name, f.source, parser.SkipObjectResolution); err != nil {
			return nil, err
		}
		f.lines = strings.Split(string(f.source), "\n")
		p.files = append(p.files, f)
	}
	p.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	p.types, err = p.check(p.info, nil)
	return p, err
}

// check compiles the package, as far as errors go, with other text for some files.
func (p *pkg) check(info *types.Info, changed map[string][]byte) (*types.Package, error) {
	var files []*ast.File
	for _, f := range p.files {
		syntax := f.syntax
		if text, ok := changed[f.name]; ok {
			var err error
			if syntax, err = parser.ParseFile(p.fset, f.name, text, parser.SkipObjectResolution); err != nil {
				return nil, err
			}
		}
		files = append(files, syntax)
	}
	if text, ok := changed[p.switches()]; ok {
		syntax, err := parser.ParseFile(p.fset, p.switches(), text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, syntax)
	}
	config := types.Config{Importer: p.imports}
	return config.Check(p.dir, p.fset, files, info)
}

func (f *file) offset(pos token.Pos) int { return f.pkg.fset.Position(pos).Offset }

func (f *file) between(from, to token.Pos) string {
	return string(f.source[f.offset(from):f.offset(to)])
}

// typeOf writes the type of an expression as the file would.
func (f *file) typeOf(n ast.Expr) string {
	return types.TypeString(f.pkg.info.Types[n].Type, func(other *types.Package) string {
		if other == f.pkg.types {
			return ""
		}
		return other.Name()
	})
}

// switches is a file that the package does not have, for what switches mutants.
func (p *pkg) switches() string { return filepath.Join(p.dir, "mutants_switched.go") }

// switchesText is that file. A mutant is switched on by the environment, which processes that tests start inherit.
func (p *pkg) switchesText() []byte {
	return fmt.Appendf(nil, `package %s

import "os"

var mutantID = func() (id int) {
	for _, digit := range os.Getenv("MUTANT") {
		id = 10*id + int(digit-'0')
	}
	return id
}()

type mutantNumbers interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float32 | ~float64
}

func mutantOn(id int) bool { return id == mutantID }

func mutantNot(id int, v bool) bool { return v != mutantOn(id) }

func mutantNumber[T mutantNumbers](id int, v T) T {
	if mutantOn(id) {
		return v + 1
	}
	return v
}

func mutantAdd[T mutantNumbers](id int, a, b T) T {
	if mutantOn(id) {
		return a - b
	}
	return a + b
}

func mutantSub[T mutantNumbers](id int, a, b T) T {
	if mutantOn(id) {
		return a + b
	}
	return a - b
}
`, p.files[0].syntax.Name.Name)
}

// printer writes a file with mutants that are switched.
type printer struct {
	file    *file
	mutants map[ast.Node][]switchable
	// What is being written: a node, without its own last mutants.
	node ast.Node
	rest []switchable
}

// switchable is a mutant with its number, or notSwitched.
type switchable struct {
	id int
	mutant
}

// printSwitched writes the file with those of the mutants that are in it.
func printSwitched(f *file, all []switchable) []byte {
	p := &printer{file: f, mutants: map[ast.Node][]switchable{}}
	for _, m := range all {
		if m.file == f {
			p.mutants[m.node] = append(p.mutants[m.node], m)
		}
	}
	end := f.syntax.FileEnd
	return []byte(p.splice(f.syntax, f.syntax.FileStart, end))
}

// render writes a node with its mutants.
func (p *printer) render(n ast.Node) string { return p.write(n, p.mutants[n]) }

func (p *printer) write(n ast.Node, mutants []switchable) string {
	if len(mutants) == 0 {
		return p.splice(n, n.Pos(), n.End())
	}
	// Conditions are found before the operators in them, and are written around them.
	return mutants[0].switched(mutants[0].id, &printer{file: p.file, mutants: p.mutants, node: n, rest: mutants[1:]})
}

// plain writes the node of which a mutant is being written, with its other mutants.
func (p *printer) plain() string { return p.write(p.node, p.rest) }

// splice copies the text of a node, and renders what is in it.
func (p *printer) splice(n ast.Node, from, to token.Pos) string {
	var text strings.Builder
	ast.Inspect(n, func(inner ast.Node) bool {
		if inner == nil || inner == n || len(p.mutants[inner]) == 0 {
			return true
		}
		text.WriteString(p.file.between(from, inner.Pos()))
		text.WriteString(p.render(inner))
		from = inner.End()
		return false
	})
	text.WriteString(p.file.between(from, to))
	return text.String()
}

// notSwitched is the number of a mutant that is compiled alone.
const notSwitched = -1

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
)

// mutant is a file with one change.
type mutant struct {
	file string
	line int
	what string
	text []byte
}

func (m mutant) String() string { return fmt.Sprintf("%s:%d: %s", m.file, m.line, m.what) }

// swaps are the operators that are exchanged.
var swaps = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND, token.ADD: token.SUB, token.SUB: token.ADD,
}

// mutantsOf returns the mutants of a file: operators exchanged, conditions negated, statements left out, numbers and truth
// values changed.
func mutantsOf(file string) ([]mutant, error) {
	source, err := os.ReadFile(file) //nolint:gosec // Named by who runs it.
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, source, 0)
	if err != nil {
		return nil, err
	}
	var all []mutant
	replace := func(from, to token.Pos, with, what string) {
		start, end := files.Position(from).Offset, files.Position(to).Offset
		text := string(source[:start]) + with + string(source[end:])
		all = append(all, mutant{file: file, line: files.Position(from).Line, what: what, text: []byte(text)})
	}
	excerpt := func(n ast.Node) string {
		text, _, _ := strings.Cut(string(source[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset]), "\n")
		return text
	}
	negate := func(condition ast.Expr) {
		replace(condition.Pos(), condition.End(), "!("+excerptWhole(source, files, condition)+")", "not "+excerpt(condition))
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok == token.CONST
		case *ast.IfStmt:
			negate(n.Cond)
		case *ast.BinaryExpr:
			if other, ok := swaps[n.Op]; ok {
				replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), other.String(), fmt.Sprintf("%s for %s in %s", other, n.Op, excerpt(n)))
			}
		case *ast.ExprStmt:
			replace(n.Pos(), n.End(), "", "without "+excerpt(n))
		case *ast.DeferStmt:
			replace(n.Pos(), n.End(), "", "without "+excerpt(n))
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				replace(n.Pos(), n.End(), "", "without "+excerpt(n))
			}
		case *ast.IncDecStmt:
			replace(n.Pos(), n.End(), "", "without "+excerpt(n))
		case *ast.BasicLit:
			if number, err := strconv.Atoi(n.Value); n.Kind == token.INT && err == nil {
				replace(n.Pos(), n.End(), strconv.Itoa(number+1), fmt.Sprintf("%d for %d", number+1, number))
			}
		case *ast.Ident:
			if other, ok := map[string]string{"true": "false", "false": "true"}[n.Name]; ok {
				replace(n.Pos(), n.End(), other, other+" for "+n.Name)
			}
		}
		return true
	})
	return all, nil
}

func excerptWhole(source []byte, files *token.FileSet, n ast.Node) string {
	return string(source[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset])
}

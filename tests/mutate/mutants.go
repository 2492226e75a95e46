package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"strconv"
	"strings"
)

// mutant is one change of the code.
type mutant struct {
	file *file
	line int
	code string // the line
	what string // the change

	// The file with the change alone is what is judged to compile or not.
	text []byte
	// node is what is changed, and switched how code is written that has the change only while it is switched on: from
	// the text of the node, in which others may be switched. Nil where there is no such code.
	node     ast.Node
	switched func(id int, p *printer) string
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d: %s -- %s", m.file.name, m.line, m.code, m.what)
}

// swaps are the operators that are exchanged.
var swaps = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND, token.ADD: token.SUB, token.SUB: token.ADD,
}

// finder finds the mutants of a file.
type finder struct {
	*file
	all []mutant
}

// mutantsOf returns the mutants of a file: operators exchanged, conditions negated, statements left out, numbers and
// truth values changed.
func mutantsOf(f *file) []mutant {
	find := finder{file: f}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok == token.CONST
		case *ast.IfStmt:
			find.negate(n.Cond)
		case *ast.SwitchStmt:
			if n.Tag == nil {
				for _, clause := range n.Body.List {
					for _, condition := range clause.(*ast.CaseClause).List {
						find.negate(condition)
					}
				}
			}
		case *ast.BinaryExpr:
			find.swap(n)
		case *ast.ExprStmt, *ast.DeferStmt, *ast.IncDecStmt:
			find.leaveOut(n)
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				find.leaveOut(n)
			}
		case *ast.BasicLit:
			find.count(n)
		case *ast.Ident:
			if other, ok := map[string]string{"true": "false", "false": "true"}[n.Name]; ok {
				find.replace(n, n.Pos(), n.End(), other, other+" for "+n.Name, not)
			}
		}
		return true
	})
	return find.all
}

func not(id int, p *printer) string { return fmt.Sprintf("mutantNot(%d, %s)", id, p.plain()) }

func (f *finder) negate(condition ast.Expr) {
	f.replace(condition, condition.Pos(), condition.End(), "!("+f.between(condition.Pos(), condition.End())+")",
		"not "+f.excerpt(condition), not)
}

func (f *finder) swap(n *ast.BinaryExpr) {
	other, ok := swaps[n.Op]
	if !ok {
		return
	}
	end := n.OpPos + token.Pos(len(n.Op.String()))
	f.replace(n, n.OpPos, end, other.String(), fmt.Sprintf("%s for %s in %s", other, n.Op, f.excerpt(n)),
		func(id int, p *printer) string {
			x, y := p.render(n.X), p.render(n.Y)
			switch n.Op {
			case token.EQL, token.NEQ:
				return not(id, p)
			case token.ADD:
				return fmt.Sprintf("mutantAdd(%d, %s, %s)", id, x, y)
			case token.SUB:
				return fmt.Sprintf("mutantSub(%d, %s, %s)", id, x, y)
			default:
				return fmt.Sprintf("(mutantOn(%d) && (%s %s %s) || !mutantOn(%d) && (%s %s %s))", id, x, other, y, id, x, n.Op, y)
			}
		})
}

func (f *finder) leaveOut(n ast.Node) {
	f.replace(n, n.Pos(), n.End(), "", "without "+f.excerpt(n), func(id int, p *printer) string {
		return fmt.Sprintf("if !mutantOn(%d) { %s }", id, p.plain())
	})
}

func (f *finder) count(n *ast.BasicLit) {
	number, err := strconv.Atoi(n.Value)
	if n.Kind != token.INT || err != nil {
		return
	}
	f.replace(n, n.Pos(), n.End(), strconv.Itoa(number+1), fmt.Sprintf("%d for %d", number+1, number),
		func(id int, _ *printer) string {
			return fmt.Sprintf("mutantNumber(%d, %s(%d))", id, f.typeOf(n), number)
		})
}

func (f *finder) replace(n ast.Node, from, to token.Pos, with, what string, switched func(int, *printer) string) {
	start, end := f.offset(from), f.offset(to)
	line := f.pkg.fset.Position(from).Line
	f.all = append(f.all, mutant{
		file: f.file, line: line, code: strings.TrimSpace(f.lines[line-1]), what: what,
		text: []byte(string(f.source[:start]) + with + string(f.source[end:])),
		node: n, switched: switched,
	})
}

// excerpt is the first line of a node.
func (f *finder) excerpt(n ast.Node) string {
	text, _, _ := strings.Cut(f.between(n.Pos(), n.End()), "\n")
	return text
}

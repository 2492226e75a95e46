package frameworks

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestGin(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	compare(t, []application{
		{name: "the engine wrapped", root: func(a *app) http.Handler { return a.save(ginApp(a)) }, requests: ginPages},
		{
			name: "an adapter that keeps gin's writer", root: func(a *app) http.Handler { return ginApp(a, ginAdapter(a)) },
			requests: ginPages,
		},
		{
			name: "an adapter that wraps gin's writer",
			root: func(a *app) http.Handler { return ginApp(a, ginWriterAdapter(a)) }, requests: ginPages,
		},
		{
			name: "Stream with the engine wrapped", root: func(a *app) http.Handler { return a.save(ginApp(a)) },
			requests: []string{"GET /gin-stream"},
		},
	})
}

var ginPages = append([]string{"GET /json", "GET /abort", "GET /no-content", "GET /redirect"}, pages...)

// ginAdapter is the adapter that is passed around. The response is written past the middleware: it sets no cookie.
func ginAdapter(a *app) gin.HandlerFunc {
	return func(c *gin.Context) {
		a.save(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			c.Request = r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
	}
}

// ginWriter writes through the middleware.
type ginWriter struct {
	gin.ResponseWriter
	through http.ResponseWriter
}

func (w ginWriter) Write(p []byte) (int, error)       { return w.through.Write(p) }
func (w ginWriter) WriteString(s string) (int, error) { return io.WriteString(w.through, s) }
func (w ginWriter) WriteHeader(status int)            { w.through.WriteHeader(status) }

func (w ginWriter) WriteHeaderNow() {
	if !w.Written() {
		w.through.WriteHeader(w.Status())
	}
	w.ResponseWriter.WriteHeaderNow()
}

func ginWriterAdapter(a *app) gin.HandlerFunc {
	return func(c *gin.Context) {
		was := c.Writer
		a.save(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.Request, c.Writer = r, ginWriter{was, w}
			c.Next()
		})).ServeHTTP(was, c.Request)
		c.Writer = was
	}
}

func ginApp(a *app, middlewares ...gin.HandlerFunc) http.Handler {
	engine := gin.New()
	engine.Use(gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, reason any) {
		c.AbortWithStatusJSON(http.StatusInternalServerError, gin.H{"recovered": reason})
	}))
	engine.Use(middlewares...)
	engine.HandleMethodNotAllowed = true
	for pattern, handle := range pagesOf(a) {
		var method, path string
		_, _ = fmt.Sscan(pattern, &method, &path)
		engine.Handle(method, path, gin.WrapF(handle))
	}
	engine.GET("/item/:id", func(c *gin.Context) {
		a.put(c.Request)
		c.String(http.StatusOK, c.Param("id"))
	})
	engine.GET("/json", func(c *gin.Context) {
		a.put(c.Request)
		c.JSON(http.StatusCreated, gin.H{"a": 1})
	})
	engine.GET("/abort", func(c *gin.Context) {
		a.put(c.Request)
		c.AbortWithStatus(http.StatusForbidden)
	})
	engine.GET("/no-content", func(c *gin.Context) {
		a.put(c.Request)
		c.Status(http.StatusNoContent)
	})
	engine.GET("/redirect", func(c *gin.Context) {
		a.put(c.Request)
		c.Redirect(http.StatusSeeOther, "/elsewhere")
	})
	engine.GET("/gin-stream", func(c *gin.Context) {
		a.put(c.Request)
		n := 0
		c.Stream(func(w io.Writer) bool {
			n++
			_, _ = fmt.Fprintln(w, "event", n)
			return n < 3
		})
	})
	return engine
}

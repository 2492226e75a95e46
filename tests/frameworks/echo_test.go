package frameworks

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

func TestEcho(t *testing.T) {
	compare(t, []application{
		{
			name: "WrapMiddleware", root: echoApp(func(a *app, e *echo.Echo) { e.Use(echo.WrapMiddleware(a.save)) }),
			requests: echoPages,
		},
		{name: "Pre", root: echoApp(func(a *app, e *echo.Echo) { e.Pre(echo.WrapMiddleware(a.save)) }), requests: echoPages},
		{name: "Recover, Gzip and CORS outside", root: echoApp(func(a *app, e *echo.Echo) {
			e.Use(echoMiddlewares()...)
			e.Use(echo.WrapMiddleware(a.save))
		}), requests: echoPages},
		{name: "Recover, Gzip and CORS inside", root: echoApp(func(a *app, e *echo.Echo) {
			e.Use(echo.WrapMiddleware(a.save))
			e.Use(echoMiddlewares()...)
		}), requests: echoPages},
		{name: "the engine wrapped", root: func(a *app) http.Handler {
			return a.save(echoApp(func(*app, *echo.Echo) {})(a))
		}, requests: echoPages},
		{name: "a group", root: echoApp(func(a *app, e *echo.Echo) {
			e.GET("/public", func(c echo.Context) error { return c.String(http.StatusOK, "public") })
			e.Use(echo.WrapMiddleware(a.save))
		}), requests: []string{"GET /public", "GET /missing", "GET /nowhere"}},
	})
}

// echoPages end with answers that echo's error handler writes after all middlewares.
var echoPages = append([]string{
	"GET /missing", "GET /put-and-missing", "GET /plain-error", "GET /put-and-plain-error", "GET /json", "GET /no-content",
	"GET /written-and-error",
}, pages...)

func echoMiddlewares() []echo.MiddlewareFunc {
	return []echo.MiddlewareFunc{
		middleware.RecoverWithConfig(middleware.RecoverConfig{
			DisablePrintStack: true,
			LogErrorFunc: func(_ echo.Context, err error, _ []byte) error {
				return err
			},
		}),
		middleware.Gzip(), middleware.CORS(), middleware.Secure(), middleware.BodyLimit("1K"),
	}
}

func echoApp(use func(*app, *echo.Echo)) func(*app) http.Handler {
	return func(a *app) http.Handler {
		e := echo.New()
		e.Logger.SetOutput(io.Discard)
		use(a, e)
		for pattern, handle := range pagesOf(a) {
			var method, path string
			_, _ = fmt.Sscan(pattern, &method, &path)
			e.Add(method, path, echo.WrapHandler(handle))
		}
		e.GET("/item/:id", func(c echo.Context) error {
			a.put(c.Request())
			return c.String(http.StatusOK, c.Param("id"))
		})
		e.GET("/missing", func(echo.Context) error { return echo.NewHTTPError(http.StatusNotFound, "no such page") })
		e.GET("/put-and-missing", func(c echo.Context) error {
			a.put(c.Request())
			return echo.NewHTTPError(http.StatusNotFound, "no such page")
		})
		e.GET("/plain-error", func(echo.Context) error { return errors.New("broken") })
		e.GET("/put-and-plain-error", func(c echo.Context) error {
			a.put(c.Request())
			return errors.New("broken")
		})
		e.GET("/json", func(c echo.Context) error {
			a.put(c.Request())
			return c.JSON(http.StatusCreated, map[string]int{"a": 1})
		})
		e.GET("/no-content", func(c echo.Context) error {
			a.put(c.Request())
			return c.NoContent(http.StatusNoContent)
		})
		e.GET("/written-and-error", func(c echo.Context) error {
			a.put(c.Request())
			if err := c.String(http.StatusAccepted, "written"); err != nil {
				return err
			}
			return errors.New("too late")
		})
		return e
	}
}

// `with profile_scope(name)`: one object per name and kind, for ever, without any state of its own; the open
// scopes lie on each thread's stack of frames, so that it may be entered again, and by several threads.
#pragma once
#include "recorder_functions.hpp"
namespace {
struct Scope {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  Site site;
  PyObject *name, *enter, *exit;
};
extern PyTypeObject ScopeType, HalfType;
// A memory tag is kept as a scope is, only that nobody enters it.
enum Kind { kScope, kOperation, kTag };
PyObject* scopes[3];  // by kind: name -> Scope

void enter_scope(Site& site) {
  if (storeprof::is_on()) return static_cast<void>(storeprof::enter(site));
  storeprof::Thread* t = storeprof::open_thread();  // switched off inside a scope: keep exits matched
  if (t && t->top != t->frames && storeprof::has_room(t)) storeprof::push_uncounted(t, site.id);
}
void leave_scope(const Site& site) {
  storeprof::Thread* t = storeprof::open_thread();
  if (!t || t->top == t->frames) return;  // entered while off, or before a fork
  const storeprof::Frame* f = t->top;
  while (f > t->frames && f->name_id != site.id) --f;
  if (f > t->frames) storeprof::leave(static_cast<uint32_t>(f - t->frames));
  else storeprof::drop();  // entered on another thread
}
// `__enter__` or `__exit__`, ready-made for each scope: binding one for each `with` costs more than the scope
// does. Without a scope it is the descriptor on the type, and takes the scope as first argument (ExitStack).
struct Half {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject* scope;  // borrowed: scopes are never freed
};
template <bool leaves> PyObject* half_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject*) {
  PyObject* scope = as<Half>(self)->scope;
  if (!scope && PyVectorcall_NARGS(nargsf) > 0 && Py_IS_TYPE(args[0], &ScopeType)) scope = args[0];
  if (!scope) return PyErr_Format(PyExc_TypeError, "a scope's __enter__ and __exit__ need the scope as first argument");
  if (leaves) {
    leave_scope(as<Scope>(scope)->site);
    Py_RETURN_NONE;
  }
  enter_scope(as<Scope>(scope)->site);
  return Py_NewRef(scope);
}
PyObject* half_bind(PyObject* self, PyObject* object, PyObject*) {
  if (!object || !Py_IS_TYPE(object, &ScopeType)) return Py_NewRef(self);
  return Py_NewRef(as<Half>(self)->vectorcall == half_call<true> ? as<Scope>(object)->exit : as<Scope>(object)->enter);
}
PyObject* new_half(PyObject* scope, bool leaves) {
  Half* half = PyObject_New(Half, &HalfType);
  if (!half) return nullptr;
  half->vectorcall = leaves ? half_call<true> : half_call<false>;
  half->scope = scope;
  return reinterpret_cast<PyObject*>(half);
}
PyObject* wrap(PyObject* callable, PyObject* name, bool operation) {
  PyObject* module = PyImport_ImportModule("storeprof.probe._functions");
  if (!module) return nullptr;
  PyObject* result = PyObject_CallMethod(module, "wrap", "OOi", callable, name, operation);
  Py_DECREF(module);
  return result;
}
// As a decorator.
PyObject* scope_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  if (PyVectorcall_NARGS(nargsf) != 1 || keywords)
    return PyErr_Format(PyExc_TypeError, "the scope %R decorates one function", as<Scope>(self)->name);
  return wrap(args[0], as<Scope>(self)->name, as<Scope>(self)->site.operation);
}
// The one object of this kind and name, borrowed; `function` asks for it.
PyObject* scope_of(Kind kind, PyObject* name, const char* function) {
  PyObject* known = PyUnicode_Check(name) ? PyDict_GetItemWithError(scopes[kind], name) : nullptr;
  if (known || PyErr_Occurred()) return known;
  if (!PyUnicode_Check(name))
    return PyErr_Format(PyExc_TypeError, "%s needs a name (str), not %s", function, Py_TYPE(name)->tp_name);
  if (PyUnicode_GET_LENGTH(name) == 0)
    return PyErr_Format(PyExc_ValueError, "%s needs a name that is not empty", function);
  PyObject* text = PyUnicode_AsEncodedString(name, "utf-8", "backslashreplace");
  Scope* scope = text ? PyObject_New(Scope, &ScopeType) : nullptr;
  if (!scope) return nullptr;  // no memory: what is half-made is abandoned, as nothing here is ever freed
  auto* self = reinterpret_cast<PyObject*>(scope);
  const uint32_t id = storeprof::intern({PyBytes_AS_STRING(text), static_cast<size_t>(Py_SIZE(text))}, "", 0);
  scope->vectorcall = scope_call;
  scope->site = {nullptr, nullptr, 0, kind == kOperation, id, 0};
  scope->name = Py_NewRef(name);
  scope->enter = new_half(self, false);
  scope->exit = new_half(self, true);
  Py_DECREF(text);
  return scope->enter && scope->exit ? PyDict_SetDefault(scopes[kind], name, self) : nullptr;
}
PyTypeObject ScopeType = callable_type("storeprof.probe._recorder.Scope", sizeof(Scope), 0, nullptr);
PyTypeObject HalfType = callable_type("storeprof.probe._recorder.half", sizeof(Half), 0, half_bind);
}  // namespace

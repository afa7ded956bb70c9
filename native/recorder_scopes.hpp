// profile_scope and profile_operation: one object per name, for ever, without any state of its own; the open scopes lie
// on each thread's stack of frames, so that an object may be entered again, and by several threads at once.
#pragma once

#include "recorder_functions.hpp"

namespace {

// The ready-made `scope.__enter__` or `scope.__exit__`: binding one for each `with` costs more than the scope.
struct Bound {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject* scope;  // borrowed: scopes are never freed
};
struct Scope {
  PyObject_HEAD
  Site site;
  PyObject *name, *enter, *exit;
};

void enter_scope(Site& site) {
  storeprof::Thread* t = storeprof::open_thread();
  if (storeprof::is_on()) {
    if (storeprof::enter(site) == 0 && (t = storeprof::current)) ++t->overflow;
  } else if (t && t->top != t->frames) {  // switched off inside an open scope: a frame keeps the exits matched
    if (t->top + 1 == t->end && !storeprof::grow_frames(t)) ++t->overflow;
    else storeprof::push_uncounted(t, site.id);
  }
}
void leave_scope(const Site& site) {
  storeprof::Thread* t = storeprof::open_thread();
  if (!t || t->top == t->frames) return;  // entered while off, or before a fork
  if (t->overflow) {
    --t->overflow;
    return;
  }
  const storeprof::Frame* f = t->top;
  while (f > t->frames && f->name_id != site.id) --f;
  if (f > t->frames) storeprof::leave_on(t, static_cast<uint32_t>(f - t->frames));
  else storeprof::drop();  // entered on another thread
}

PyObject* call_enter(PyObject* self, PyObject* const*, size_t, PyObject*) {
  auto* scope = reinterpret_cast<Scope*>(reinterpret_cast<Bound*>(self)->scope);
  enter_scope(scope->site);
  return Py_NewRef(scope);
}
PyObject* call_exit(PyObject* self, PyObject* const*, size_t, PyObject*) {
  leave_scope(reinterpret_cast<Scope*>(reinterpret_cast<Bound*>(self)->scope)->site);
  Py_RETURN_NONE;
}

struct Descriptor {  // `__enter__` and `__exit__` on the type
  PyObject_HEAD
  vectorcallfunc vectorcall;
  Py_ssize_t offset;  // of the ready-made callable in the Scope
};
extern PyTypeObject ScopeType;

PyObject* bound_of(PyObject* descriptor, PyObject* scope) {
  const Py_ssize_t offset = reinterpret_cast<Descriptor*>(descriptor)->offset;
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(scope) + offset);
}
PyObject* descriptor_get(PyObject* self, PyObject* scope, PyObject*) {
  return Py_NewRef(scope && scope != Py_None ? bound_of(self, scope) : self);
}
// type(scope).__enter__(scope), as contextlib.ExitStack does it
PyObject* descriptor_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  if (count < 1 || !PyObject_TypeCheck(args[0], &ScopeType)) {
    PyErr_SetString(PyExc_TypeError, "__enter__ and __exit__ of a scope need the scope as first argument");
    return nullptr;
  }
  return PyObject_Vectorcall(bound_of(self, args[0]), args + 1, static_cast<size_t>(count - 1), keywords);
}

PyTypeObject callable_type(const char* name, Py_ssize_t size, Py_ssize_t vectorcall_offset, descrgetfunc get) {
  PyTypeObject type = blank_type();
  type.tp_name = name;
  type.tp_basicsize = size;
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  type.tp_vectorcall_offset = vectorcall_offset;
  type.tp_call = PyVectorcall_Call;
  type.tp_descr_get = get;
  return type;
}
PyTypeObject BoundType =
    callable_type("storeprof.probe._recorder.bound", sizeof(Bound), offsetof(Bound, vectorcall), nullptr);
PyTypeObject DescriptorType = callable_type("storeprof.probe._recorder.descriptor", sizeof(Descriptor),
                                            offsetof(Descriptor, vectorcall), descriptor_get);

PyObject* scope_repr(PyObject* self) {
  auto* scope = reinterpret_cast<Scope*>(self);
  return PyUnicode_FromFormat("profile_%s(%R)", scope->site.operation ? "operation" : "scope", scope->name);
}
PyObject* scope_reduce(PyObject* self, PyObject*) {
  auto* scope = reinterpret_cast<Scope*>(self);
  PyObject* module = PyImport_ImportModule("storeprof.probe._recorder");
  const char* name = scope->site.operation ? "profile_operation" : "profile_scope";
  PyObject* maker = module ? PyObject_GetAttrString(module, name) : nullptr;
  Py_XDECREF(module);
  return maker ? Py_BuildValue("(N(O))", maker, scope->name) : nullptr;
}
PyObject* operation_call(PyObject* self, PyObject* args, PyObject* keywords) {  // as a decorator
  if (PyTuple_GET_SIZE(args) != 1 || (keywords && PyDict_GET_SIZE(keywords))) {
    PyErr_Format(PyExc_TypeError, "%R decorates one function", self);
    return nullptr;
  }
  return wrap(PyTuple_GET_ITEM(args, 0), reinterpret_cast<Scope*>(self)->name, true);
}
PyMethodDef scope_methods[] = {{"__reduce__", scope_reduce, METH_NOARGS, "Pickled by name."},
                               {nullptr, nullptr, 0, nullptr}};

PyTypeObject scope_type(const char* name, PyTypeObject* parent, ternaryfunc call) {
  PyTypeObject type = blank_type();
  type.tp_name = name;
  type.tp_basicsize = sizeof(Scope);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | (parent ? 0 : Py_TPFLAGS_BASETYPE);
  type.tp_base = parent;
  type.tp_call = call;
  type.tp_repr = scope_repr;
  type.tp_methods = scope_methods;
  return type;
}
PyTypeObject ScopeType = scope_type("storeprof.probe._recorder.Scope", nullptr, nullptr);
PyTypeObject OperationType = scope_type("storeprof.probe._recorder.Operation", &ScopeType, operation_call);

PyObject* new_bound(PyObject* scope, vectorcallfunc call) {
  Bound* bound = PyObject_New(Bound, &BoundType);
  if (!bound) return nullptr;
  bound->vectorcall = call;
  bound->scope = scope;
  return reinterpret_cast<PyObject*>(bound);
}
PyObject* new_scope(PyTypeObject* type, PyObject* name) {
  const bool operation = type == &OperationType;
  if (!is_name(name, operation ? "profile_operation" : "profile_scope")) return nullptr;
  Scope* scope = PyObject_New(Scope, type);
  if (!scope) return nullptr;
  auto* self = reinterpret_cast<PyObject*>(scope);
  scope->site = {nullptr, nullptr, 0, operation, false, 0};
  scope->name = Py_NewRef(name);
  scope->enter = new_bound(self, call_enter);
  scope->exit = new_bound(self, call_exit);
  // On an error (no memory) the half-made object is abandoned: nothing here is ever freed.
  return scope->enter && scope->exit && intern(name, nullptr, 0, &scope->site.id) ? self : nullptr;
}
// The one object of this name.
PyObject* scope_of(PyObject* cache, PyTypeObject* type, PyObject* name) {
  PyObject* scope = PyUnicode_CheckExact(name) ? PyDict_GetItemWithError(cache, name) : nullptr;
  if (scope) return Py_NewRef(scope);
  if (PyErr_Occurred() || !(scope = new_scope(type, name))) return nullptr;
  return Py_XNewRef(PyDict_SetDefault(cache, reinterpret_cast<Scope*>(scope)->name, scope));
}

}  // namespace

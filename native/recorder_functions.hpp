// The object behind @profile_function: it times the callable inside it and otherwise behaves as that does.
// What is done once per function (its name, staticmethod) is in probe/_functions.py. One translation unit.
#pragma once
#include <Python.h>
#include <cstddef>

#define STOREPROF_ENABLE 1
#include <storeprof/profile.hpp>
namespace {
using storeprof::Site;

template <typename T> T* as(PyObject* object) { return reinterpret_cast<T*>(object); }
// Every object here is callable, and keeps its vectorcallfunc as its first member.
PyTypeObject callable_type(const char* name, Py_ssize_t size, unsigned long flags, descrgetfunc bind) {
  PyTypeObject type = {};
  Py_SET_REFCNT(&type, 1);
  type.tp_name = name;
  type.tp_basicsize = size;
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_VECTORCALL | flags;
  type.tp_vectorcall_offset = sizeof(PyObject);
  type.tp_call = PyVectorcall_Call;
  type.tp_descr_get = bind;
  return type;
}

struct Wrapped {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  vectorcallfunc* inner;  // where a Python function keeps its own entry; null: through the protocol
  PyObject *callable, *weakrefs, *driver;  // driver: what times each step of the generator or coroutine it returns
  uint64_t calls;
  Site site;
};
extern PyTypeObject ProfiledFunction, ProfiledCallable;
PyObject* wrapped_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  auto* w = as<Wrapped>(self);
  const uint32_t index = storeprof::is_on() ? ++w->calls, storeprof::enter(w->site) : 0;
  PyObject* result = w->inner && *w->inner ? (*w->inner)(w->callable, args, nargsf, keywords)
                                           : PyObject_Vectorcall(w->callable, args, nargsf, keywords);
  if (index) storeprof::leave(index);
  return result;
}
// Detached: what is left where a decorator can't be taken off.
PyObject* detached_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  return PyObject_Vectorcall(as<Wrapped>(self)->callable, args, nargsf, keywords);
}
PyObject* driven_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  PyObject* task = detached_call(self, args, nargsf, keywords);
  ++as<Wrapped>(self)->calls;
  PyObject* result = task ? PyObject_CallFunctionObjArgs(as<Wrapped>(self)->driver, self, task, nullptr) : nullptr;
  Py_XDECREF(task);
  return result;
}
PyObject* new_wrapped(PyObject* callable, const Site& site, PyObject* driver) {
  const bool binds = PyType_HasFeature(Py_TYPE(callable), Py_TPFLAGS_METHOD_DESCRIPTOR);
  PyObject* self = PyType_GenericAlloc(binds ? &ProfiledFunction : &ProfiledCallable, 0);
  if (!self) return nullptr;
  auto* w = as<Wrapped>(self);
  w->vectorcall = driver ? driven_call : wrapped_call;
  w->driver = Py_XNewRef(driver);
  w->inner = PyFunction_Check(callable) ? &as<PyFunctionObject>(callable)->vectorcall : nullptr;
  w->callable = Py_NewRef(callable);
  w->site = site;
  return self;
}
// No tp_clear: the last reference to a running callable may be here. Functions break their own cycles.
int wrapped_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as<Wrapped>(self)->callable);  // (the driver is a module's function)
  return 0;
}
void wrapped_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  PyObject_ClearWeakRefs(self);
  Py_DECREF(as<Wrapped>(self)->callable);
  Py_XDECREF(as<Wrapped>(self)->driver);
  Py_TYPE(self)->tp_free(self);
}
PyObject* wrapped_repr(PyObject* self) { return PyUnicode_FromFormat("<profiled %R>", as<Wrapped>(self)->callable); }
PyObject* wrapped_reduce(PyObject* self, PyObject*) { return PyObject_GetAttrString(self, "__qualname__"); }
// Attributes are the callable's own, read and written: __name__, __code__, an lru_cache's cache_clear.
PyObject* wrapped_getattr(PyObject* self, PyObject* name) {
  PyObject* value = PyObject_GenericGetAttr(self, name);
  if (value || !PyErr_ExceptionMatches(PyExc_AttributeError)) return value;
  PyErr_Clear();
  return PyObject_GetAttr(as<Wrapped>(self)->callable, name);
}
int wrapped_setattr(PyObject* self, PyObject* name, PyObject* value) {
  return PyObject_SetAttr(as<Wrapped>(self)->callable, name, value);
}
PyObject* get_wrapped(PyObject* self, void*) { return Py_NewRef(as<Wrapped>(self)->callable); }
PyObject* get_doc(PyObject* self, void*) {  // the type would otherwise answer with its own
  return PyObject_GetAttrString(as<Wrapped>(self)->callable, "__doc__");
}
PyObject* function_bind(PyObject* self, PyObject* object, PyObject*) {
  return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}
// A callable that binds in its own way keeps that way; one that doesn't bind (a built-in, a class) doesn't.
PyObject* callable_bind(PyObject* self, PyObject* object, PyObject* type) {
  auto* w = as<Wrapped>(self);
  const descrgetfunc bind = Py_TYPE(w->callable)->tp_descr_get;
  PyObject* bound = bind ? bind(w->callable, object, type) : Py_NewRef(w->callable);
  if (!bound) return nullptr;
  PyObject* result = bound == w->callable ? Py_NewRef(self) : new_wrapped(bound, w->site, w->driver);
  Py_DECREF(bound);
  return result;
}
PyObject* get_calls(PyObject* self, void*) { return PyLong_FromUnsignedLongLong(as<Wrapped>(self)->calls); }
PyMethodDef wrapped_methods[] = {{"__reduce__", wrapped_reduce, METH_NOARGS, "By name, as functions are."}, {}};
PyGetSetDef wrapped_getset[] = {{"__wrapped__", get_wrapped, nullptr, nullptr, nullptr},
                                {"__doc__", get_doc, nullptr, nullptr, nullptr},
                                {"__profiled_calls__", get_calls, nullptr, nullptr, nullptr}, {}};
PyTypeObject wrapped_type(const char* name, unsigned long flags, descrgetfunc bind) {
  PyTypeObject type = callable_type(name, sizeof(Wrapped), Py_TPFLAGS_HAVE_GC | flags, bind);
  type.tp_weaklistoffset = offsetof(Wrapped, weakrefs);
  type.tp_dealloc = wrapped_dealloc;
  type.tp_traverse = wrapped_traverse;
  type.tp_repr = wrapped_repr;
  type.tp_getattro = wrapped_getattr;
  type.tp_setattro = wrapped_setattr;
  type.tp_methods = wrapped_methods;
  type.tp_getset = wrapped_getset;
  return type;
}
PyTypeObject ProfiledFunction =
    wrapped_type("storeprof.probe._recorder.ProfiledFunction", Py_TPFLAGS_METHOD_DESCRIPTOR, function_bind);
PyTypeObject ProfiledCallable = wrapped_type("storeprof.probe._recorder.ProfiledCallable", 0, callable_bind);
}  // namespace

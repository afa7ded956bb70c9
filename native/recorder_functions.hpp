// @profile_function: a callable in C that times the callable inside it and otherwise behaves as that one does.
#pragma once

#include <cstddef>

#include "recorder_names.hpp"

namespace {

PyObject* update_wrapper = nullptr;  // functools.update_wrapper

PyTypeObject blank_type() {
  PyTypeObject type = {};
  Py_SET_REFCNT(&type, 1);
  return type;
}

struct Wrapped {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  vectorcallfunc* inner;  // where a Python function keeps its own entry; null: through the protocol
  PyObject *callable, *dict, *weakrefs;
  Site site;
};

PyObject* wrapped_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  auto* w = reinterpret_cast<Wrapped*>(self);
  const uint32_t index = storeprof::is_on() ? storeprof::enter(w->site) : 0;
  PyObject* result = w->inner && *w->inner ? (*w->inner)(w->callable, args, nargsf, keywords)
                                           : PyObject_Vectorcall(w->callable, args, nargsf, keywords);
  if (index) storeprof::leave(index);
  return result;
}

extern PyTypeObject ProfiledFunction, ProfiledCallable;

PyObject* new_wrapped(PyObject* callable, const Site& site) {
  const bool binds = PyType_HasFeature(Py_TYPE(callable), Py_TPFLAGS_METHOD_DESCRIPTOR);
  PyTypeObject* type = binds ? &ProfiledFunction : &ProfiledCallable;
  auto* w = reinterpret_cast<Wrapped*>(type->tp_alloc(type, 0));
  if (!w) return nullptr;
  w->vectorcall = wrapped_call;
  w->inner = PyFunction_Check(callable) ? &reinterpret_cast<PyFunctionObject*>(callable)->vectorcall : nullptr;
  w->callable = Py_NewRef(callable);
  w->site = site;
  auto* self = reinterpret_cast<PyObject*>(w);
  PyObject* done = PyObject_CallFunctionObjArgs(update_wrapper, self, callable, nullptr);
  if (!done) Py_CLEAR(self);
  Py_XDECREF(done);
  return self;
}

int wrapped_traverse(PyObject* self, visitproc visit, void* arg) {
  auto* w = reinterpret_cast<Wrapped*>(self);
  Py_VISIT(w->callable);
  Py_VISIT(w->dict);
  return 0;
}
int wrapped_clear(PyObject* self) {
  // The callable stays: a call that is running inside it may be what holds the last reference.
  Py_CLEAR(reinterpret_cast<Wrapped*>(self)->dict);
  return 0;
}
void wrapped_dealloc(PyObject* self) {
  auto* w = reinterpret_cast<Wrapped*>(self);
  PyObject_GC_UnTrack(self);
  if (w->weakrefs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(w->dict);
  Py_CLEAR(w->callable);
  Py_TYPE(self)->tp_free(self);
}
PyObject* wrapped_repr(PyObject* self) {
  return PyUnicode_FromFormat("<profiled %R>", reinterpret_cast<Wrapped*>(self)->callable);
}
// What the wrapper hasn't is the function's: __code__, __defaults__, an lru_cache's cache_clear.
PyObject* wrapped_getattr(PyObject* self, PyObject* name) {
  PyObject* value = PyObject_GenericGetAttr(self, name);
  if (value || !PyErr_ExceptionMatches(PyExc_AttributeError)) return value;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<Wrapped*>(self)->callable, name);
}
PyObject* function_bind(PyObject* self, PyObject* object, PyObject*) {
  return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}
// A callable that binds in its own way keeps that way; one that doesn't bind (a built-in, a class) doesn't.
PyObject* callable_bind(PyObject* self, PyObject* object, PyObject* type) {
  auto* w = reinterpret_cast<Wrapped*>(self);
  const descrgetfunc bind = Py_TYPE(w->callable)->tp_descr_get;
  PyObject* bound = bind ? bind(w->callable, object, type) : Py_NewRef(w->callable);
  if (!bound) return nullptr;
  PyObject* result = bound == w->callable || !PyCallable_Check(bound) ? Py_NewRef(bound == w->callable ? self : bound)
                                                                      : new_wrapped(bound, w->site);
  Py_DECREF(bound);
  return result;
}
PyObject* wrapped_reduce(PyObject* self, PyObject*) { return PyObject_GetAttrString(self, "__qualname__"); }

PyMethodDef wrapped_methods[] = {{"__reduce__", wrapped_reduce, METH_NOARGS, "By qualified name, as functions are."},
                                 {nullptr, nullptr, 0, nullptr}};
PyGetSetDef wrapped_getset[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
                                {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyTypeObject wrapped_type(const char* name, unsigned long flags, descrgetfunc bind) {
  PyTypeObject type = blank_type();
  type.tp_name = name;
  type.tp_basicsize = sizeof(Wrapped);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                  Py_TPFLAGS_DISALLOW_INSTANTIATION | flags;
  type.tp_vectorcall_offset = offsetof(Wrapped, vectorcall);
  type.tp_dictoffset = offsetof(Wrapped, dict);
  type.tp_weaklistoffset = offsetof(Wrapped, weakrefs);
  type.tp_call = PyVectorcall_Call;
  type.tp_descr_get = bind;
  type.tp_dealloc = wrapped_dealloc;
  type.tp_traverse = wrapped_traverse;
  type.tp_clear = wrapped_clear;
  type.tp_repr = wrapped_repr;
  type.tp_getattro = wrapped_getattr;
  type.tp_setattro = PyObject_GenericSetAttr;
  type.tp_methods = wrapped_methods;
  type.tp_getset = wrapped_getset;
  type.tp_alloc = PyType_GenericAlloc;
  type.tp_free = PyObject_GC_Del;
  return type;
}
PyTypeObject ProfiledFunction =
    wrapped_type("storeprof.probe._recorder.ProfiledFunction", Py_TPFLAGS_METHOD_DESCRIPTOR, function_bind);
PyTypeObject ProfiledCallable = wrapped_type("storeprof.probe._recorder.ProfiledCallable", 0, callable_bind);

PyObject* wrap(PyObject* callable, PyObject* name, bool operation) {
  PyTypeObject* outer = Py_TYPE(callable);
  if (outer == &PyStaticMethod_Type || outer == &PyClassMethod_Type) {  // the binding stays outside, untimed
    PyObject* function = PyObject_GetAttrString(callable, "__func__");
    PyObject* inner = function ? wrap(function, name, operation) : nullptr;
    PyObject* result = inner ? PyObject_CallOneArg(reinterpret_cast<PyObject*>(outer), inner) : nullptr;
    Py_XDECREF(function);
    Py_XDECREF(inner);
    return result;
  }
  if (!PyCallable_Check(callable)) {
    const bool property = PyObject_TypeCheck(callable, &PyProperty_Type);
    PyErr_Format(PyExc_TypeError, "%s needs a function or a name (str), not %.100s%s",
                 operation ? "profile_operation" : "profile_function", outer->tp_name,
                 property ? ": put it below @property" : "");
    return nullptr;
  }
  Site site;
  return describe(callable, name, operation, &site) ? new_wrapped(callable, site) : nullptr;
}

}  // namespace

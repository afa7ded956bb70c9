// What stands for `acquire` and `release` of a lock with a name (probe/_locks.py has the rest of it): `callable` is the
// lock's own method, None in the descriptors on the type; `driver` is bytes, what both calls know.
#pragma once
#include "recorder_scopes.hpp"
namespace {
extern PyTypeObject LockCall;
template <bool leaves> PyObject* lock_call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* keywords) {
  auto* w = as<Wrapped>(self);
  if (!w->driver)  // by an ExitStack, with the lock
    return PyVectorcall_NARGS(nargsf) ? PyObject_CallMethod(args[0], leaves ? "release" : "acquire", nullptr)
                                      : PyErr_Format(PyExc_TypeError, "__enter__ and __exit__ need the lock");
  auto& held = *reinterpret_cast<storeprof::Held*>(PyBytes_AS_STRING(w->driver));
  if (leaves) {  // one argument: however often it was taken
    if (PyVectorcall_NARGS(nargsf) == 1) held.depth = 0;
    return held.released(), PyObject_CallNoArgs(w->callable);
  }
  PyObject* got = PyObject_CallOneArg(w->callable, Py_False);
  const uint64_t asked = got == Py_False ? storeprof::now() : 0;
  if (asked) Py_DECREF(got), got = PyObject_Vectorcall(w->callable, args, nargsf, keywords);
  if (got == Py_True) held.taken(asked);
  return got;
}
PyObject* lock_bind(PyObject* self, PyObject* object, PyObject*) {
  static PyObject *const acquire = PyUnicode_InternFromString("acquire"), *const release = PyUnicode_InternFromString("release");
  if (!object) return Py_NewRef(self);
  return PyObject_GetAttr(object, as<Wrapped>(self)->vectorcall == lock_call<true> ? release : acquire);
}
PyTypeObject LockCall = wrapped_type("storeprof.probe._recorder.LockCall", 0, lock_bind);
PyObject* lock_state(PyObject* of) {  // of a new lock with that name, or of a call that there is
  if (Py_IS_TYPE(of, &LockCall)) return Py_NewRef(as<Wrapped>(of)->driver);
  if (!PyBytes_Check(of)) return PyErr_Format(PyExc_TypeError, "a lock's name is bytes, not %s", Py_TYPE(of)->tp_name);
  PyObject* state = PyBytes_FromStringAndSize(nullptr, sizeof(storeprof::Held));
  if (!state) return nullptr;
  auto* held = new (PyBytes_AS_STRING(state)) storeprof::Held("");
  const std::string_view name(PyBytes_AS_STRING(of), static_cast<size_t>(PyBytes_GET_SIZE(of)));
  for (Site* site : {&held->held, &held->waited}) site->id = storeprof::intern(name, site->file, 0);
  return state;
}
PyObject* lock_calls(PyObject*, PyObject* args) {  // (acquire, release, name as bytes); without, the type's descriptors
  PyObject *calls[2] = {Py_None, Py_None}, *of = nullptr, *pair = PyTuple_New(2);
  PyObject* state = PyArg_ParseTuple(args, "|OOO", calls, calls + 1, &of) && of ? lock_state(of) : nullptr;
  for (int leaves = 0; pair && !PyErr_Occurred() && leaves < 2; ++leaves) {
    PyObject* one = PyType_GenericAlloc(&LockCall, 0);
    if (!one) break;
    as<Wrapped>(one)->vectorcall = leaves ? lock_call<true> : lock_call<false>;
    as<Wrapped>(one)->callable = Py_NewRef(calls[leaves]), as<Wrapped>(one)->driver = Py_XNewRef(state);
    PyTuple_SET_ITEM(pair, leaves, one);
  }
  Py_XDECREF(state);
  if (PyErr_Occurred()) Py_CLEAR(pair);
  return pair;
}
}  // namespace

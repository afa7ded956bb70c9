// The CPython face of include/storeprof/profile.hpp: functions, scopes and operations, memory tags. No logic
// of recording lives here. The full docstrings are those of probe/_recorder.pyi.
#define PY_SSIZE_T_CLEAN
#include "recorder_locks.hpp"
namespace {
PyObject* profile_scope(PyObject*, PyObject* name) { return Py_XNewRef(scope_of(kScope, name, "profile_scope")); }
template <Kind kind> PyObject* profile_function(PyObject*, PyObject* what) {
  if (!PyUnicode_Check(what)) return wrap(what, Py_None, kind == kOperation);
  return Py_XNewRef(scope_of(kind, what, kind == kOperation ? "profile_operation" : "profile_function"));
}
PyObject* new_function(PyObject*, PyObject* args) {
  PyObject *callable, *driver = nullptr;
  const char *name, *file;
  unsigned line;
  int operation;
  if (!PyArg_ParseTuple(args, "OyyIp|O", &callable, &name, &file, &line, &operation, &driver)) return nullptr;
  const uint32_t id = *name ? storeprof::intern(name, file, line) : 0;
  return new_wrapped(callable, {nullptr, nullptr, 0, operation != 0, id, 0}, driver);
}
template <bool freed> PyObject* profile_memory(PyObject*, PyObject* const* args, Py_ssize_t count) {
  const char* function = freed ? "profile_memory_dealloc" : "profile_memory_alloc";
  if (count != 2) return PyErr_Format(PyExc_TypeError, "%s needs the type's name and the number of bytes", function);
  PyObject* tag = scope_of(kTag, args[0], function);
  if (!tag) return nullptr;
  if (!PyIndex_Check(args[1]))
    return PyErr_Format(PyExc_TypeError, "%s needs bytes as an int, not %s", function, Py_TYPE(args[1])->tp_name);
  const Py_ssize_t bytes = PyNumber_AsSsize_t(args[1], PyExc_OverflowError);
  if (bytes == -1 && PyErr_Occurred()) return nullptr;
  if (bytes < 0) return PyErr_Format(PyExc_ValueError, "%s: bytes must not be negative, got %zd", function, bytes);
  if (storeprof::is_on()) storeprof::count<freed>(as<Scope>(tag)->site, static_cast<uint64_t>(bytes));
  Py_RETURN_NONE;
}
PyObject* memory_fd(PyObject*, PyObject*) { return PyLong_FromLong(storeprof::registry.header ? storeprof::registry.fd : -1); }
PyObject* gate(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count > 1 || (count == 1 && args[0] != Py_None && !PyBool_Check(args[0])))
    return PyErr_Format(PyExc_TypeError, "gate needs True, False or None");
  if (count == 1 && args[0] != Py_None && storeprof::registry.header)
    storeprof::store(*storeprof::registry.gate, args[0] == Py_True ? 1u : 0u);
  return PyBool_FromLong(storeprof::is_on());
}
bool is_wrapped(PyObject* object) { return Py_TYPE(object)->tp_traverse == wrapped_traverse; }
PyObject* detach(PyObject*, PyObject* function) {
  if (is_wrapped(function)) as<Wrapped>(function)->vectorcall = detached_call;
  return PyBool_FromLong(is_wrapped(function));
}
PyObject* on_budget = nullptr;  // called, once the interpreter gets to it, when counting alone costs too much
int call_on_budget(void*) {
  PyObject* result = PyObject_CallNoArgs(on_budget);
  Py_XDECREF(result);
  return result ? 0 : (PyErr_WriteUnraisable(on_budget), 0);
}
PyObject* when_over_budget(PyObject*, PyObject* function) {
  Py_XSETREF(on_budget, Py_NewRef(function));
  storeprof::registry.over_budget = [] { Py_AddPendingCall(call_on_budget, nullptr); };
  Py_RETURN_NONE;
}
// A coroutine's or generator's scope: enter, then suspend and resume at each of its steps, then leave (_tasks.py).
PyObject* task_enter(PyObject*, PyObject* function) {
  return PyLong_FromLong(is_wrapped(function) && storeprof::is_on() ? storeprof::enter(as<Wrapped>(function)->site) : 0);
}
PyObject* task_leave(PyObject*, PyObject* index) {
  if (const unsigned long open = PyLong_AsUnsignedLong(index)) storeprof::leave(static_cast<uint32_t>(open));
  Py_RETURN_NONE;
}
PyObject* task_suspend(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 2) return PyErr_Format(PyExc_TypeError, "suspend needs the index, and whether the caller awaits");
  const auto index = static_cast<uint32_t>(PyLong_AsUnsignedLong(args[0]));
  const auto size = static_cast<Py_ssize_t>(storeprof::suspend(nullptr, index, false));
  PyObject* kept = PyBytes_FromStringAndSize(nullptr, size);
  if (kept) storeprof::suspend(reinterpret_cast<storeprof::Suspended*>(PyBytes_AS_STRING(kept)), index, args[1] == Py_True);
  return kept;
}
PyObject* task_resume(PyObject*, PyObject* kept) {
  static Site waiting{"(suspended)", "", 0, false, 0, 0};
  if (!PyBytes_Check(kept)) return PyErr_Format(PyExc_TypeError, "resume needs what suspend returned");
  return PyLong_FromLong(storeprof::resume(reinterpret_cast<storeprof::Suspended*>(PyBytes_AS_STRING(kept)), waiting));
}

#define FAST(function) reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function))
PyMethodDef functions[] = {
    {"profile_function", profile_function<kScope>, METH_O,
     "profile_function(function_or_name, /)\n--\n\nTimes every call of a function; goes below @property."},
    {"profile_scope", profile_scope, METH_O, "profile_scope(name, /)\n--\n\nTimes its block, or a function, under `name`."},
    {"profile_operation", profile_function<kOperation>, METH_O,
     "profile_operation(name_or_function, /)\n--\n\nTimes an operation of the engine: a read, a commit."},
    {"profile_memory_alloc", FAST(profile_memory<false>), METH_FASTCALL, "profile_memory_alloc(type_name, bytes, /)\n--\n\n"},
    {"profile_memory_dealloc", FAST(profile_memory<true>), METH_FASTCALL, "profile_memory_dealloc(type_name, bytes, /)\n--\n\n"},
    {"new_function", new_function, METH_VARARGS, nullptr}, {"memory_fd", memory_fd, METH_NOARGS, nullptr},
    {"gate", FAST(gate), METH_FASTCALL, "gate(on=None, /)\n--\n\nSets the gate when told; tells it."},
    {"detach", detach, METH_O, nullptr}, {"when_over_budget", when_over_budget, METH_O, nullptr},
    {"task_enter", task_enter, METH_O, nullptr}, {"task_leave", task_leave, METH_O, nullptr},
    {"task_suspend", FAST(task_suspend), METH_FASTCALL, nullptr}, {"task_resume", task_resume, METH_O, nullptr},
    {"lock_calls", lock_calls, METH_VARARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "storeprof.probe._recorder", "The probe's recorder.", -1,
                          functions, nullptr, nullptr, nullptr, nullptr};
bool prepare_types() {
  for (auto* type : {&ProfiledFunction, &ProfiledCallable, &HalfType, &ScopeType, &LockCall}) if (PyType_Ready(type)) return false;
  for (PyObject*& kind : scopes) kind = PyDict_New();
  PyObject *enter = new_half(nullptr, false), *exit = new_half(nullptr, true);
  return scopes[2] && enter && exit && PyDict_SetItemString(ScopeType.tp_dict, "__enter__", enter) == 0 &&
         PyDict_SetItemString(ScopeType.tp_dict, "__exit__", exit) == 0;
}
}  // namespace
PyMODINIT_FUNC PyInit__recorder() {
  if (!prepare_types()) return nullptr;
  PyObject* module = PyModule_Create(&definition);
  if (module && PyModule_AddType(module, &ScopeType) < 0) Py_CLEAR(module);
  return module;
}

// The CPython face of include/storeprof/profile.hpp: functions, scopes and operations, memory tags. No logic of
// recording lives here.
#define PY_SSIZE_T_CLEAN
#include "recorder_scopes.hpp"

namespace {

PyObject *scopes = nullptr, *operations = nullptr, *tags = nullptr;  // name -> Scope, Operation, number of the name

PyObject* profile_scope(PyObject*, PyObject* name) { return scope_of(scopes, &ScopeType, name); }
PyObject* profile_operation(PyObject*, PyObject* what) {
  return PyUnicode_Check(what) ? scope_of(operations, &OperationType, what) : wrap(what, nullptr, true);
}
PyObject* wrap_named(PyObject* name, PyObject* function) { return wrap(function, name, false); }
PyMethodDef named_decorator = {"profile_function", wrap_named, METH_O, nullptr};
PyObject* profile_function(PyObject*, PyObject* what) {
  if (!PyUnicode_Check(what)) return wrap(what, nullptr, false);
  return is_name(what, "profile_function") ? PyCFunction_New(&named_decorator, what) : nullptr;
}

bool tag_number(PyObject* name, const char* function, uint32_t* id) {
  PyObject* number = PyUnicode_CheckExact(name) ? PyDict_GetItemWithError(tags, name) : nullptr;
  if (number) {
    *id = static_cast<uint32_t>(PyLong_AsUnsignedLong(number));
    return true;
  }
  if (PyErr_Occurred() || !is_name(name, function) || !intern(name, nullptr, 0, id)) return false;
  number = PyLong_FromUnsignedLong(*id);
  const bool done = number && (*id == 0 || PyDict_SetItem(tags, name, number) == 0);
  Py_XDECREF(number);
  return done;
}
using Counter = void (*)(Site&, uint64_t);
PyObject* count_memory(PyObject* const* args, Py_ssize_t count, const char* function, Counter counter) {
  if (count != 2)
    return PyErr_Format(PyExc_TypeError, "%s needs the type's name and the number of bytes", function);
  Site site{nullptr, nullptr, 0, false, false, 0};
  if (!tag_number(args[0], function, &site.id)) return nullptr;
  if (!PyIndex_Check(args[1]))
    return PyErr_Format(PyExc_TypeError, "%s needs bytes as an int, not %.100s", function, Py_TYPE(args[1])->tp_name);
  const Py_ssize_t bytes = PyNumber_AsSsize_t(args[1], PyExc_OverflowError);
  if (bytes == -1 && PyErr_Occurred()) return nullptr;
  if (bytes < 0) return PyErr_Format(PyExc_ValueError, "%s: bytes must not be negative, got %zd", function, bytes);
  if (storeprof::is_on()) counter(site, static_cast<uint64_t>(bytes));
  Py_RETURN_NONE;
}
PyObject* memory_alloc(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return count_memory(args, count, "profile_memory_alloc", storeprof::count_allocation);
}
PyObject* memory_dealloc(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return count_memory(args, count, "profile_memory_dealloc", storeprof::count_free);
}

PyObject* memory_fd(PyObject*, PyObject*) {
  return PyLong_FromLong(storeprof::registry.header ? storeprof::registry.fd : -1);
}
PyObject* gate(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count > 1 || (count == 1 && args[0] != Py_None && !PyBool_Check(args[0])))
    return PyErr_Format(PyExc_TypeError, "gate needs True, False or None");
  if (count == 1 && args[0] != Py_None && storeprof::registry.header)
    storeprof::store(*storeprof::registry.gate, args[0] == Py_True ? 1u : 0u);
  return PyBool_FromLong(storeprof::is_on());
}
PyObject* calibrate(PyObject*, PyObject*) {
  const storeprof::Lock lock;
  return PyFloat_FromDouble(static_cast<double>(storeprof::calibrate()) / 1000.0);
}

#define FAST(function) reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function))
PyMethodDef functions[] = {
    {"profile_function", profile_function, METH_O,
     "profile_function(function_or_name, /)\n--\n\n"
     "Times every call of a function: `@profile_function` or `@profile_function(\"name\")`.\n\n"
     "Works on functions, methods, and on staticmethod and classmethod on either side; put it below @property.\n"
     "Name, signature, docstring, annotations, attributes and pickling stay the function's own. Without a name\n"
     "it is recorded as `module.qualname` with file and first line (the file's stem in place of `__main__`).\n\n"
     "Of a generator or an async function only the creating call is timed in this version. CPython 3.12.1 limits\n"
     "recursion through any callable written in C: some 750 deep here, 500 through functools.lru_cache.\n"
     "Raises TypeError for anything but a function or a str, ValueError for an empty name."},
    {"profile_scope", profile_scope, METH_O,
     "profile_scope(name, /)\n--\n\n"
     "A context manager that times its block under `name`.\n\n"
     "One object per name: re-entrant, usable from several threads at once, cheap to ask for each time.\n"
     "Raises TypeError when the name is not a str, ValueError when it is empty."},
    {"profile_operation", profile_operation, METH_O,
     "profile_operation(name_or_function, /)\n--\n\n"
     "An operation of the engine (a read, a write, a commit), said outright: `with profile_operation(\"put\"):`,\n"
     "`@profile_operation(\"put\")` or `@profile_operation`. Latency and tail are reported per operation.\n\n"
     "Of a generator or an async function only the creating call is timed.\n"
     "Raises TypeError for anything but a function or a str, ValueError for an empty name."},
    {"profile_memory_alloc", FAST(memory_alloc), METH_FASTCALL,
     "profile_memory_alloc(type_name, bytes, /)\n--\n\n"
     "Counts one allocation of `bytes` bytes under `type_name`.\n\n"
     "Raises TypeError for a name that is not a str or bytes that are not an int, ValueError for negative bytes."},
    {"profile_memory_dealloc", FAST(memory_dealloc), METH_FASTCALL,
     "profile_memory_dealloc(type_name, bytes, /)\n--\n\n"
     "Counts one release of `bytes` bytes under `type_name`; any thread may release.\n\n"
     "Raises TypeError for a name that is not a str or bytes that are not an int, ValueError for negative bytes."},
    {"memory_fd", memory_fd, METH_NOARGS, "memory_fd()\n--\n\nThe shared memory's descriptor, -1 when there is none."},
    {"gate", FAST(gate), METH_FASTCALL, "gate(on=None, /)\n--\n\nSets the gate when told, and says where it stands."},
    {"calibrate", calibrate, METH_NOARGS,
     "calibrate()\n--\n\nMeasures the cost of one scope in ticks, stores it in the header, and returns it."},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "storeprof.probe._recorder", "The recorder of storeprof's probe.", -1,
                          functions, nullptr, nullptr, nullptr, nullptr};

bool add_descriptor(const char* name, Py_ssize_t offset) {
  Descriptor* d = PyObject_New(Descriptor, &DescriptorType);
  if (!d) return false;
  d->vectorcall = descriptor_call;
  d->offset = offset;
  const bool done = PyDict_SetItemString(ScopeType.tp_dict, name, reinterpret_cast<PyObject*>(d)) == 0;
  Py_DECREF(d);
  PyType_Modified(&ScopeType);
  return done;
}

}  // namespace

PyMODINIT_FUNC PyInit__recorder() {
  for (PyTypeObject* type : {&ProfiledFunction, &ProfiledCallable, &BoundType, &DescriptorType, &ScopeType,
                             &OperationType})
    if (PyType_Ready(type) < 0) return nullptr;
  if (!add_descriptor("__enter__", offsetof(Scope, enter)) || !add_descriptor("__exit__", offsetof(Scope, exit)))
    return nullptr;
  PyObject* functools = PyImport_ImportModule("functools");
  update_wrapper = functools ? PyObject_GetAttrString(functools, "update_wrapper") : nullptr;
  Py_XDECREF(functools);
  scopes = PyDict_New();
  operations = PyDict_New();
  tags = PyDict_New();
  PyObject* module = update_wrapper && scopes && operations && tags ? PyModule_Create(&definition) : nullptr;
  if (module && (PyModule_AddType(module, &ScopeType) < 0 || PyModule_AddType(module, &OperationType) < 0))
    Py_CLEAR(module);
  return module;
}

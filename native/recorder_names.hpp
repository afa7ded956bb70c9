// How the sites of a Python program are named. Part of recorder_module.cpp, like its neighbours: one translation unit.
#pragma once

#include <Python.h>

#ifndef STOREPROF_ENABLE
#define STOREPROF_ENABLE
#endif
#include <storeprof/profile.hpp>

namespace {

using storeprof::Site;

// Bytes; what UTF-8 can't hold (file names of other encodings) is escaped, not refused.
PyObject* utf8(PyObject* text) {
  return PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
}

// 0 as number when the recorder has no room or never started: such a site stays uncounted.
bool intern(PyObject* name, PyObject* file, long line, uint32_t* id) {
  PyObject* name_bytes = utf8(name);
  PyObject* file_bytes = file ? utf8(file) : PyBytes_FromString("");
  if (name_bytes && file_bytes) {
    const storeprof::Lock lock;
    *id = storeprof::intern({PyBytes_AS_STRING(name_bytes), static_cast<size_t>(PyBytes_GET_SIZE(name_bytes))},
                            {PyBytes_AS_STRING(file_bytes), static_cast<size_t>(PyBytes_GET_SIZE(file_bytes))},
                            static_cast<uint32_t>(line));
  }
  const bool done = name_bytes && file_bytes;
  Py_XDECREF(name_bytes);
  Py_XDECREF(file_bytes);
  return done;
}

bool is_name(PyObject* name, const char* function) {
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "%s needs a name (str), not %.100s", function, Py_TYPE(name)->tp_name);
    return false;
  }
  if (PyUnicode_GET_LENGTH(name) == 0) {
    PyErr_Format(PyExc_ValueError, "%s needs a name that is not empty", function);
    return false;
  }
  return true;
}

PyObject* attribute(PyObject* object, const char* name) {  // new reference, or null without an error
  PyObject* value = PyObject_GetAttrString(object, name);
  if (!value) PyErr_Clear();
  return value;
}

// The code object behind a callable, through the wrappers that functools.wraps leaves; null without an error.
PyObject* code_of(PyObject* callable) {
  PyObject* function = Py_NewRef(callable);
  for (int depth = 0; depth < 64; ++depth) {
    PyObject* inner = attribute(function, "__wrapped__");
    if (!inner) break;
    Py_SETREF(function, inner);
  }
  PyObject* code = attribute(function, "__code__");
  Py_DECREF(function);
  if (code && !PyCode_Check(code)) Py_CLEAR(code);
  return code;
}

// "package.module.Class.method"; for __main__ the stem of its file, which is the same in every run and in every report.
PyObject* dotted_name(PyObject* callable, PyObject* file) {
  PyObject* qualname = attribute(callable, "__qualname__");
  if (!qualname || !PyUnicode_Check(qualname)) Py_XSETREF(qualname, PyType_GetQualName(Py_TYPE(callable)));
  PyObject* module = attribute(callable, "__module__");
  if (module && PyUnicode_Check(module) && file && PyUnicode_CompareWithASCIIString(module, "__main__") == 0) {
    const Py_ssize_t length = PyUnicode_GET_LENGTH(file);
    const Py_ssize_t slash = PyUnicode_FindChar(file, '/', 0, length, -1);
    const Py_ssize_t dot = PyUnicode_FindChar(file, '.', slash + 1, length, -1);
    if (length > 0 && PyUnicode_READ_CHAR(file, 0) != '<')  // <stdin>, <string>
      Py_SETREF(module, PyUnicode_Substring(file, slash + 1, dot > slash + 1 ? dot : length));
  }
  PyObject* name = nullptr;
  if (qualname)
    name = module && PyUnicode_Check(module) ? PyUnicode_FromFormat("%U.%U", module, qualname) : Py_NewRef(qualname);
  Py_XDECREF(module);
  Py_XDECREF(qualname);
  return name;
}

bool describe(PyObject* callable, PyObject* name, bool operation, Site* site) {
  PyObject* code = code_of(callable);
  PyObject* file = code ? attribute(code, "co_filename") : nullptr;
  if (file && !PyUnicode_Check(file)) Py_CLEAR(file);
  const long line = code ? reinterpret_cast<PyCodeObject*>(code)->co_firstlineno : 0;
  PyObject* text = name ? Py_NewRef(name) : dotted_name(callable, file);
  *site = {nullptr, nullptr, 0, operation, false, 0};
  const bool done = text && intern(text, file, line, &site->id);
  Py_XDECREF(text);
  Py_XDECREF(file);
  Py_XDECREF(code);
  return done;
}

}  // namespace
